"""Strategies compared on a benchmark, so fairly that the result can be believed. Read `comparing.py` first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.core.lazy import lazy
from archwright.core.protocols import Strategy

if TYPE_CHECKING:
    from archwright.benchmarks.table import Benchmark
    from archwright.compare.comparison import Comparison
    from archwright.compare.terms import UnfairComparison

__all__ = ["Comparison", "UnfairComparison", "compare"]


def compare(
    benchmark: Benchmark,
    strategies: Mapping[str, Strategy] | Sequence[Strategy],
    *,
    seeds: int = 30,
    evaluations: int | None = None,
    seconds: float | None = None,
    objectives: Any = None,
    also: Mapping[str, Benchmark] | Sequence[Benchmark] = (),
    workers: int = 1,
    jobs: int | None = None,
    out: str | Path | None = None,
    on_search: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Searches a benchmark with each strategy and each seed, under equal terms. Random search always takes part.

    Each search starts with a fresh copy of its strategy. What a strategy shares with the others is the space, the
    objective, the budget, the workers and the seeds: strategies that start at random start with the same architectures.

    Args:
        benchmark: whose table answers; its cost is simulated time.
        strategies: by their labels; a sequence gets the classes' names.
        seeds: searches a strategy: seeds 0 to `seeds` - 1.
        evaluations: the budget of a search in evaluations; repetitions and what the space excludes are free.
        seconds: the budget of a search in simulated seconds. An evaluation under way when they are over doesn't count.
        objectives: the benchmark's own objective by default.
        also: more benchmarks on the same space, whose test metrics the same winners are judged by, such as other data
            sets; by their names, or a sequence.
        workers: trials of one search that run side by side, in simulated time.
        jobs: searches at a time, in processes; all cores by default.
        out: the folder to keep the comparison in. The same call goes on where it was interrupted; more seeds and more
            strategies may be added. None: nothing is kept.
        on_search: called with how many searches are done, and of how many; once before the first.

    Raises:
        UnfairComparison: a comparison that would say nothing, or mix what can't be compared; says why.
        ArchwrightError: no budget, a strategy that fails, a folder that can't be written.
    """
    from archwright.compare.comparing import Plan
    from archwright.compare.terms import Terms

    terms = Terms.of(
        benchmark, objectives=objectives, evaluations=evaluations, seconds=seconds, workers=workers, also=also
    )
    return Plan.of(strategies, terms, seeds).run(None if out is None else Path(out), jobs, on_search)


__getattr__ = lazy(
    __name__,
    {
        "archwright.compare.comparison": ["Comparison"],
        "archwright.compare.terms": ["UnfairComparison"],
    },
)
