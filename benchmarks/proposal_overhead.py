"""What each strategy itself costs: seconds a proposal when the history is 100, 300 and 1,000 evaluations long.

    ARCHWRIGHT_BENCH_DATA=... python benchmarks/proposal_overhead.py [strategy ...]

On NAS-Bench-201 (12 epochs, CIFAR-10). The history is given (random architectures, each once), so that all strategies
are measured on the same; then 20 proposals are asked and answered, one at a time. "first" is the first of them, asked
of a fresh strategy: what resuming a run costs. The figure for a length is the mean of the others, refits included.
"300 in all" is a whole search of 300 evaluations, seconds of the strategy alone.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import archwright as aw
from archwright.benchmarks import nasbench201
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.registry import parts

LENGTHS = (100, 300, 1000)
PROPOSALS = 20


def proposals(strategy: Any, benchmark: Any, history: History, count: int, seed: int) -> list[float]:
    """Asks and answers `count` times; the seconds of each proposal."""
    streams, seconds = Streams(seed), []
    for _ in range(count):
        rng = streams[history.asked]
        started = time.perf_counter()
        trial = strategy.propose(benchmark.space, history, rng)
        seconds.append(time.perf_counter() - started)
        if trial is None:
            raise ArchwrightError("it proposes nothing")
        history.append(history.ask(trial), benchmark.estimator.estimate(benchmark.space, trial))
    return seconds


def given(benchmark: Any, length: int, seed: int = 0) -> History:
    """A history of random architectures, each once."""
    rows = Streams(seed)[0].permutation(len(benchmark.table))[:length]
    trials = [aw.Trial(benchmark.table.architecture(int(row))) for row in rows]
    return History("valid_accuracy", [benchmark.estimator.estimate(benchmark.space, trial) for trial in trials])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("strategies", nargs="*", help="all by default")
    known = parts("strategies").items()
    propose = [name for name, part in known if hasattr(part, "propose") and name != "exhaustive"]
    names = parser.parse_args().strategies or propose
    benchmark = nasbench201()
    head = "".join(f"| {length}, first | {length} " for length in LENGTHS)
    print(f"| strategy {head}| 300 in all |\n|---{'|---:' * (2 * len(LENGTHS) + 1)}|")
    for name in names:
        cells = []
        for length in LENGTHS:
            try:
                taken = proposals(parts("strategies")[name](), benchmark, given(benchmark, length), PROPOSALS + 1, 1)
                cells += [f"{taken[0]:.3f}", f"{sum(taken[1:]) / PROPOSALS:.4f}"]
            except ArchwrightError as error:
                cells += ["-", str(error)[:40]]
        try:
            whole = proposals(parts("strategies")[name](), benchmark, given(benchmark, 0), 300, 2)
            cells.append(f"{sum(whole):.2f}")
        except ArchwrightError as error:
            cells.append(str(error)[:40])
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
