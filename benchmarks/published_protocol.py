"""The published protocol of NAS-Bench-201 (Dong and Yang, 2020): every strategy, at 12,000 and 20,000 seconds.

    ARCHWRIGHT_BENCH_DATA=... python benchmarks/published_protocol.py --seeds 300 [strategy ...]

Search on CIFAR-10's 12-epoch validation accuracy, report the winner's mean test accuracy after 200 epochs, on CIFAR-10,
CIFAR-100 and ImageNet16-120. It is `archwright compare` at 20,000 seconds, read at 12,000 too; the folder is kept, so
that a second call with more strategies or seeds only runs what is missing. Prints one table in Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import archwright as aw
from archwright.cli.compare import strategies_of
from archwright.compare.comparison import Comparison

STRATEGIES = (
    "regularized-evolution(population=10,sample=3)",
    "local-search",
)
BUDGETS = (12_000, 20_000)


def table(comparison: Comparison) -> str:
    """A line a strategy: mean and standard deviation of the winners' test accuracy in percent, and the overhead."""
    judges = comparison.judges
    cuts = [comparison.until(seconds) for seconds in BUDGETS]
    head = [f"{judge}, {seconds:,} s" for seconds in BUDGETS for judge in judges]
    lines = [f"| strategy | {' | '.join(head)} | evaluations | overhead, s |", f"|---{'|---:' * (len(head) + 2)}|"]
    spreads = [{line.strategy: line for line in cut.lines} for cut in cuts]
    for name in sorted(comparison.strategies, key=lambda name: -spreads[0][name].scores[judges[0]].mean):
        cells = [
            f"{100 * found[name].scores[judge].mean:.2f} ± {100 * found[name].scores[judge].std:.2f}"
            for found in spreads
            for judge in judges
        ]
        whole = spreads[-1][name]
        lines.append(f"| {name} | {' | '.join(cells)} | {whole.evaluations:.0f} | {whole.cpu_seconds:.2f} |")
    best = [f"{100 * comparison.terms['judges'][judge]['optimum']:.2f}" for judge in judges] * len(BUDGETS)
    return "\n".join([*lines, f"| *optimum of the table* | {' | '.join(best)} | | |"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("strategies", nargs="*", default=STRATEGIES, help="as for archwright compare --strategies")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs/published-protocol"))
    chosen = parser.parse_args()
    comparison = aw.compare(
        aw.benchmarks.nasbench201(),
        strategies_of(chosen.strategies),
        seeds=chosen.seeds,
        seconds=max(BUDGETS),
        also={name: aw.benchmarks.nasbench201(dataset=name) for name in ("cifar100", "imagenet16")},
        jobs=chosen.jobs,
        out=chosen.out,
    )
    print(table(comparison))


if __name__ == "__main__":
    main()
