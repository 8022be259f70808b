"""Two objectives on NAS-Bench-201: how much of the exact Pareto front's hypervolume each strategy finds.

    ARCHWRIGHT_BENCH_DATA=... python benchmarks/multi_objective.py --seeds 50

Error on CIFAR-10 against latency on a device (HW-NAS-Bench). A search sees the validation error after 12 epochs and
the latency. After 100, 200 and 400 evaluations the front that it holds is judged twice, by hypervolume in percent of
that of the table's exact front: over test error (after 200 epochs) and latency, which is what a user gets, and over
validation error and latency, which is what the search could know. "everything known" is a search that had evaluated the
whole table: over test errors it falls short of 100 too, since it has to choose by validation errors. (Strings
of one graph were measured one by one, and their latencies differ, so each counts as an architecture of its own.)

The reference points lie just beyond the ends of the exact fronts: 15 % test error or 27 % validation error, and 7 ms
(edge GPU) or 70 ms (Raspberry Pi 4). They leave out the networks without any convolution, which are wrong more often.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import archwright as aw
from archwright.benchmarks import Benchmark, nasbench201
from archwright.objectives.pareto import non_dominated
from archwright.registry import find, parts

CHECKPOINTS = (100, 200, 400)
DEVICES = {"edgegpu_latency_ms": 7.0, "raspi4_latency_ms": 70.0}
"""The slowest that counts, in ms."""

ERRORS = {"test_accuracy": 0.15, "valid_accuracy": 0.27}
"""The largest error that counts."""

STRATEGIES: Mapping[str, Mapping[str, Any]] = {  # populations small enough for 100 evaluations
    "random": {},
    "local-search": {},
    "regularized-evolution": {"population": 10, "sample": 3},
    "tournament-evolution": {"population": 10, "sample": 3},
    "nsga2": {"population": 20},
    "lemonade": {},
    "expected-hypervolume": {},
}


@cache
def benchmark() -> Benchmark:
    return nasbench201(extras=("hardware",))


@dataclass(frozen=True)
class Plane:
    """An error and a latency, in which fronts are judged."""

    accuracy: str
    latency: str

    def volume(self, rows: Iterable[int]) -> float:
        """The hypervolume of some rows of the table."""
        table, reference = benchmark().table, (ERRORS[self.accuracy], DEVICES[self.latency])
        errors, latencies = 1.0 - table.mean(self.accuracy), table.mean(self.latency)
        points = [(errors[row].item(), latencies[row].item()) for row in rows]
        return aw.hypervolume([points[place] for place in non_dominated(points)], reference)

    @cache  # noqa: B019 (a handful of planes)
    def ceiling(self) -> float:
        """That of the whole table."""
        return self.volume(range(len(benchmark().table)))

    def share(self, rows: Iterable[int]) -> float:
        """Theirs in percent of the ceiling."""
        return 100.0 * self.volume(rows) / self.ceiling()

    def front(self) -> list[int]:
        """The rows of the exact front."""
        table = benchmark().table
        return non_dominated(list(zip(-table.mean(self.accuracy), table.mean(self.latency), strict=True)))


class Found(NamedTuple):
    """A share for each error and checkpoint, and the processor seconds of the whole search."""

    shares: dict[tuple[str, int], float]
    seconds: float


def searched(name: str, latency: str, seed: int) -> Found:
    strategy, table = find("strategies", name)(**STRATEGIES[name]), benchmark().table
    wanted = ["valid_accuracy", f"min:{latency}"]
    run = aw.search(benchmark().space, strategy, benchmark().estimator, objectives=wanted, seed=seed)
    shares: dict[tuple[str, int], float] = {}
    seconds, started = 0.0, time.process_time()
    for _ in aw.budget(run, evaluations=CHECKPOINTS[-1]):
        count = run.history.spent
        if count in CHECKPOINTS and ("test_accuracy", count) not in shares:
            seconds += time.process_time() - started
            rows = [table.row(scored.evaluation.trial.architecture) or 0 for scored in run.history.front()]
            shares |= {(error, count): Plane(error, latency).share(rows) for error in ERRORS}
            started = time.process_time()
    if run.history.spent < CHECKPOINTS[-1]:
        raise aw.ArchwrightError(f"{name}, seed {seed}: {run.history.spent} evaluations, then {run.ended}")
    return Found(shares, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("strategies", nargs="*", help=f"of {', '.join(STRATEGIES)}; all by default")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    names = given.strategies or [name for name in STRATEGIES if name in parts("strategies")]
    columns = [(error, count) for error in ERRORS for count in CHECKPOINTS]
    titles = [f"{error.split('_')[0]}, {count}" for error, count in columns]
    with ProcessPoolExecutor(given.processes) as pool:
        for latency, slowest in DEVICES.items():
            print(f"\n{latency} up to {slowest:g}: % of the exact hypervolume, mean ± std of {given.seeds} seeds\n")
            print(f"| strategy | {' | '.join(titles)} | seconds |")
            print("|---|" + "---:|" * (len(columns) + 1))
            jobs = {name: [pool.submit(searched, name, latency, seed) for seed in range(given.seeds)] for name in names}
            for name in names:
                found = [job.result() for job in jobs[name]]
                shares = [[result.shares[column] for result in found] for column in columns]
                cells = [f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}" for values in shares]
                seconds = statistics.mean(result.seconds for result in found)
                print(f"| {name} | {' | '.join(cells)} | {seconds:.2f} |", flush=True)
            known = Plane("valid_accuracy", latency).front()
            everything = {error: f"{Plane(error, latency).share(known):.1f}" for error in ERRORS}
            last = [everything[error] if count == CHECKPOINTS[-1] else "" for error, count in columns]
            print(f"| everything known | {' | '.join(last)} | |")


if __name__ == "__main__":
    main()
