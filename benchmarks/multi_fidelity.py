"""Multi-fidelity strategies against full trainings at equal simulated seconds, on tables of several fidelities.

    ARCHWRIGHT_BENCH_DATA=... python benchmarks/multi_fidelity.py nasbench201 ecnas published --seeds 100

Each study is an `archwright.compare` at its largest budget, read at the smaller ones too, and prints a table in
Markdown. The folders are kept, so that a second call with more seeds or strategies only runs what is missing.

nasbench201: full fidelity is 200 epochs, fidelity 0.06 are the 12-epoch trainings. They are trainings of their own,
    with a schedule of 12 epochs, so nothing is continued: a promotion pays all 200. "At 12 epochs" never asks for more.
ecnas: trainings of 4, 12, 36 and 108 epochs, each of its own too.
published: BOHB by the protocol of NAS-Bench-201 (Dong and Yang, 2020): 12,000 seconds (20,000 in NATS-Bench), searched
    on 12 epochs, scored after 200. In the authors' program BOHB's budgets are 12 to 200 epochs with eta = 3, but its
    worker ignores them: whatever is asked trains for 12 epochs and costs that. So the table here answers at three
    fidelities alike. Their numbers are `--num_samples 4 --random_fraction 0.0 --bandwidth_factor 3`.

The winner is what a search would report: the best by validation accuracy at the highest fidelity that it has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import archwright as aw
from archwright import strategies as s
from archwright.benchmarks.table import Benchmark, Table
from archwright.compare.comparison import Comparison
from archwright.core.history import History
from archwright.core.protocols import SearchSpace, Strategy
from archwright.core.trial import Trial

EVOLUTION = s.RegularizedEvolution(population=10, sample=3)


@dataclass(frozen=True)
class AtFidelity:
    """A strategy whose trials all have one low fidelity."""

    of: Strategy
    fidelity: float

    def propose(self, space: SearchSpace, history: History, rng: Any) -> Trial | None:
        """The inner one's trial at this fidelity."""
        trial = self.of.propose(space, history, rng)
        return None if trial is None else replace(trial, fidelity=self.fidelity)


@dataclass(frozen=True)
class Study:
    """A comparison and the budgets at which it is read.

    Attributes:
        seconds: ascending; simulated.
        also: further benchmarks that score the winners.
    """

    benchmark: Benchmark
    strategies: Mapping[str, Strategy]
    seconds: tuple[int, ...]
    also: Mapping[str, Benchmark]


def families(levels: tuple[float, ...]) -> dict[str, Strategy]:
    """Strategies of several fidelities, and those of the full one."""
    return {
        "random, full fidelity": s.Random(),
        "regularised evolution, full fidelity": EVOLUTION,
        "successive halving": s.SuccessiveHalving(levels=levels),
        "Hyperband": s.Hyperband(levels=levels),
        "ASHA": s.ASHA(levels=levels),
        "BOHB": s.BOHB(levels=levels),
        "DEHB": s.DEHB(levels=levels),
        "Hyperband over regularised evolution": s.Hyperband(of=EVOLUTION, levels=levels),
        "Hyperband over BANANAS": s.Hyperband(of=s.BANANAS(), levels=levels),
        "ASHA over regularised evolution": s.ASHA(of=EVOLUTION, levels=levels),
        "freeze-thaw": s.FreezeThaw(levels=levels),
    }


def nasbench201() -> Study:
    """Two fidelities."""
    cheap: dict[str, Strategy] = {
        "random, at 12 epochs": AtFidelity(s.Random(), 0.06),
        "regularised evolution, at 12 epochs": AtFidelity(EVOLUTION, 0.06),
    }
    strategies = {**families((0.06, 1.0)), **cheap}
    return Study(aw.benchmarks.nasbench201(epochs=200), strategies, (20_000, 60_000, 200_000), {})


def ecnas() -> Study:
    """Four fidelities."""
    strategies = families((4 / 108, 12 / 108, 36 / 108, 1.0))
    return Study(aw.benchmarks.ecnas(), strategies, (10_000, 30_000, 60_000), {})


def published() -> Study:
    """Fidelities that are no fidelities."""
    levels = (1 / 9, 1 / 3, 1.0)
    theirs = s.KernelDensity(candidates=4, interleaved=0.0, widened=3.0)
    strategies: dict[str, Strategy] = {
        "random": s.Random(),
        "regularised evolution": EVOLUTION,
        "BOHB, the authors' numbers": s.BOHB(of=theirs, levels=levels),
        "BOHB": s.BOHB(levels=levels),
        "BOHB, one fidelity": s.BOHB(levels=(1.0,)),
        "Hyperband": s.Hyperband(levels=levels),
        "DEHB": s.DEHB(levels=levels),
    }
    judges = {name: aw.benchmarks.nasbench201(name) for name in ("cifar100", "imagenet16")}
    return Study(blind(aw.benchmarks.nasbench201(), levels), strategies, (12_000, 20_000), judges)


def blind(benchmark: Benchmark, levels: tuple[float, ...]) -> Benchmark:
    """The same answers at each fidelity, each paid in full."""
    whole = {name.removesuffix("@1"): column for name, column in benchmark.table.columns.items()}
    columns = {
        f"{name}@{level!r}": column
        for name, column in whole.items()
        for level in levels
        if level == 1.0 or not name.startswith("test_")
    }
    table = Table(columns, benchmark.table.row, benchmark.table.architecture)
    return Benchmark("cifar10", benchmark.space, table, fidelity_of="what is 12 epochs whatever is asked")


STUDIES: dict[str, Callable[[], Study]] = {"nasbench201": nasbench201, "ecnas": ecnas, "published": published}


def table(comparison: Comparison, seconds: tuple[int, ...]) -> str:
    """A line a strategy, the best at the largest budget first: test accuracy and regret of the winners, in percent."""
    cuts = [comparison.until(budget) if budget < max(seconds) else comparison for budget in seconds]
    judges = comparison.judges
    heads = [f"{budget:,} s{f', {judge}' if len(judges) > 1 else ''}" for budget in seconds for judge in judges]
    rows = [
        f"| strategy | {' | '.join(heads)} | evaluations | overhead, s |",
        f"|---{'|---:' * (len(heads) + 2)}|",
    ]
    lines = [{line.strategy: line for line in cut.lines} for cut in cuts]
    for name in sorted(comparison.strategies, key=lambda name: -lines[-1][name].scores[judges[0]].mean):
        cells = []
        for found in lines:
            for judge in judges:
                score, best = found[name].scores[judge], comparison.terms["judges"][judge]["optimum"]
                none = f", {found[name].winnerless} without" if found[name].winnerless else ""
                regret = best - score.mean
                cells.append(f"{100 * score.mean:.2f} ± {100 * score.std:.2f} ({100 * regret:.2f}{none})")
        whole = lines[-1][name]
        rows.append(f"| {name} | {' | '.join(cells)} | {whole.evaluations:.0f} | {whole.cpu_seconds:.2f} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="*", default=list(STUDIES), choices=STUDIES)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="strategies by their names in the table; all if left out")
    parser.add_argument("--out", type=Path, default=Path("runs/multi-fidelity"))
    chosen = parser.parse_args()
    for name in chosen.studies:
        study = STUDIES[name]()
        strategies = {label: it for label, it in study.strategies.items() if not chosen.only or label in chosen.only}
        comparison = aw.compare(
            study.benchmark,
            strategies,
            seeds=chosen.seeds,
            seconds=max(study.seconds),
            also=study.also,
            jobs=chosen.jobs,
            out=chosen.out / name,
        )
        print(f"\n{name}, {chosen.seeds} seeds: mean ± std (regret)\n\n{table(comparison, study.seconds)}", flush=True)


if __name__ == "__main__":
    main()
