"""One search of a comparison, measured."""

from __future__ import annotations

import pickle
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from archwright.compare.terms import Terms
from archwright.core.errors import ArchwrightError, in_one_line
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace, Strategy
from archwright.core.trial import Trial
from archwright.runtime.simulated import Simulated
from archwright.search import budget, search

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Incumbent:
    """The best architecture for a while.

    Attributes:
        evaluation: it arrived as the search's evaluation of this number, counted from 1.
        seconds: when that was, simulated.
        value: the objective's metric.
        scores: what each judge says of it, in case that the search ends with it; None where its table has
            no row or an empty place.
    """

    evaluation: int
    seconds: float
    value: float
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Outcome:
    """A finished search.

    Attributes:
        times: when each evaluation arrived, in simulated seconds; repetitions and rejections cost nothing and are
            left out.
        values: the objective's metric in each; None for a failure.
        incumbents: in the order in which they were the best.
        seconds: simulated, at the end.
        ended: why, in words.
        complete: the budget was spent; else the strategy ended earlier, having nothing left to ask.
        proposals: how often the strategy was asked.
        cpu_seconds: of the strategy itself, inside `propose`: real, of all its threads.
        wall_seconds: the same by the clock on the wall.
    """

    strategy: str
    seed: int
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    incumbents: tuple[Incumbent, ...]
    seconds: float
    ended: str
    complete: bool
    proposals: int
    failures: int
    repeats: int
    rejected: int
    cpu_seconds: float
    wall_seconds: float

    def as_json(self) -> dict[str, Any]:
        """For the ledger."""
        return asdict(self)

    def until(self, seconds: float) -> Outcome:
        """The same search under a smaller budget of simulated seconds: a strategy doesn't know its budget.

        What is counted or timed for the whole search (proposals, failures, CPU seconds, ...) stays as it is.
        """
        if seconds >= self.seconds:
            return self
        arrived = bisect_right(self.times, seconds)
        return replace(
            self,
            times=self.times[:arrived],
            values=self.values[:arrived],
            incumbents=tuple(item for item in self.incumbents if item.evaluation <= arrived),
            seconds=seconds,
            ended=f"the budget of {seconds / 60:g} minutes is spent",
            complete=True,
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The inverse of `as_json`."""
        incumbents = tuple(Incumbent(**item) for item in data["incumbents"])
        lists = {"times": tuple(data["times"]), "values": tuple(data["values"]), "incumbents": incumbents}
        return cls(**{**data, **lists})


class Timed:
    """A strategy with a stopwatch, and otherwise the strategy."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.cpu_seconds = self.wall_seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.strategy, name)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The strategy's proposal."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            return self.strategy.propose(space, history, rng)
        finally:
            self.cpu_seconds += time.process_time() - cpu
            self.wall_seconds += time.perf_counter() - wall


def measure(terms: Terms, label: str, packed: bytes, seed: int) -> Outcome:
    """Searches with a fresh copy of a strategy until the budget is spent. Runs in a worker process.

    Raises:
        ArchwrightError: the strategy failed: no outcome is better than one that says little about it.
    """
    try:
        return _measure(terms, label, Timed(pickle.loads(packed)), seed)
    except Exception as error:
        raise ArchwrightError(f"{label} failed in its search with seed {seed}: {in_one_line(error)}") from error


def _measure(terms: Terms, label: str, strategy: Timed, seed: int) -> Outcome:
    executor, estimator = Simulated(terms.workers), replace(terms.benchmark.estimator, first=seed)
    run = search(terms.benchmark.space, strategy, estimator, objectives=terms.goal, executor=executor, seed=seed)
    budget(run, evaluations=terms.evaluations, minutes=None if terms.seconds is None else terms.seconds / 60)
    objective = terms.goal.objectives[0].metric
    times: list[float] = []
    values: list[float | None] = []
    incumbents: list[Incumbent] = []
    best: Scored | None = None
    failures = repeats = rejected = 0
    for evaluation in run:
        if evaluation.reused is not None:
            repeats += 1
            continue
        if evaluation.rejected:
            rejected += 1
            continue
        failures += evaluation.failure is not None
        times.append(run.elapsed)
        values.append(None if evaluation.failure is not None else evaluation.metrics[objective])
        if run.history.best is not None and run.history.best is not best:
            best = run.history.best
            architecture = best.evaluation.trial.architecture
            scores = {name: judge.score(architecture) for name, judge in terms.judges.items()}
            incumbents.append(Incumbent(len(times), times[-1], best.evaluation.metrics[objective], scores))
    return Outcome(
        label,
        seed,
        tuple(times),
        tuple(values),
        tuple(incumbents),
        run.elapsed if terms.seconds is None else min(run.elapsed, terms.seconds),
        run.ended or "",
        run.budget.spent(run) is not None,
        run.history.asked,
        failures,
        repeats,
        rejected,
        strategy.cpu_seconds,
        strategy.wall_seconds,
    )
