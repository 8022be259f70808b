"""What all strategies of a comparison share, and what may not enter it."""

from __future__ import annotations

import hashlib
import inspect
import io
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from archwright.benchmarks.table import COST, Benchmark, Numbers, Table
from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.objective import BadObjective, Goal, Objective
from archwright.core.parts import describe, kebab
from archwright.core.protocols import GradientStrategy
from archwright.runtime.pickling import Pickler
from archwright.strategies.random_search import Random


class UnfairComparison(ArchwrightError):
    """A comparison that would not be fair, and why."""


@dataclass(frozen=True)
class Judge:
    """A benchmark whose test metric the winners of all searches are scored by, each once its search is over."""

    benchmark: Benchmark

    @property
    def objective(self) -> Objective:
        """The test metric and its direction: that of its name, else that of the benchmark's objective."""
        return self.benchmark.direction(self.benchmark.score)

    def score(self, architecture: Architecture) -> float | None:
        """The test metric of an architecture; None where the table lacks the row, or has an empty place."""
        row = self.benchmark.table.row(architecture)
        value = math.nan if row is None else float(self.benchmark.table.mean(self.benchmark.score)[row])
        return None if math.isnan(value) else value

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "benchmark": self.benchmark.name,
            "table": self.benchmark.table.digest,
            "score": self.objective.metric,
            "maximize": self.objective.maximize,
        }


@dataclass(frozen=True)
class Terms:
    """What is equal for all: the question, the budget, the workers and the judges.

    Attributes:
        benchmark: whose space is searched, and whose table answers.
        evaluations: the budget of a search in evaluations that cost something.
        seconds: the budget in simulated seconds. An evaluation under way when they are over does not count.
        workers: how many trials of one search run side by side, in simulated time.
        judges: by their names, the benchmark itself first.
    """

    benchmark: Benchmark
    goal: Goal
    evaluations: int | None
    seconds: float | None
    workers: int
    judges: Mapping[str, Judge]

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        *,
        objectives: Any = None,
        evaluations: int | None = None,
        seconds: float | None = None,
        workers: int = 1,
        also: Mapping[str, Benchmark] | Sequence[Benchmark] = (),
    ) -> Terms:
        """The terms, checked.

        Raises:
            UnfairComparison: terms under which a comparison would say nothing.
            BadObjective: a metric that the benchmark lacks, or a test metric.
        """
        if not isinstance(benchmark, Benchmark):
            raise ArchwrightError(f"strategies are compared on a Benchmark, not on a {type(benchmark).__name__}")
        goal = Goal.of(benchmark.objective if objectives is None else objectives)
        known = benchmark.estimator.metrics
        for wanted in goal.wanted:
            if wanted.metric not in known:
                raise BadObjective(one_of(f"metric of {benchmark.name}", wanted.metric, known))
        if len(goal.objectives) > 1:
            raise ArchwrightError("a comparison is about one objective (constraints may stand beside it)")
        _check_budget(benchmark, evaluations, seconds, workers)
        judges = {title(benchmark): Judge(benchmark), **_judges(also, benchmark)}
        for name, judge in judges.items():
            _check_judge(name, judge, benchmark)
        return cls(benchmark, goal, evaluations, seconds, workers, judges)

    def optimum(self, benchmark: Benchmark, metric: Objective) -> float:
        """The best value that a benchmark has of a metric, among the architectures that keep the constraints.

        Raises:
            BadTable: it has none.
        """
        return benchmark.optimum(metric.metric, maximize=metric.maximize, rows=self._kept(benchmark.table))

    def _kept(self, table: Table) -> Numbers | None:
        """Which rows of a table a search may choose, by what the searched benchmark says of them; None for all."""
        if not self.goal.constraints:
            return None
        searched = self.benchmark.table
        kept = self.benchmark.estimator.keeping(self.goal.constraints)
        if table is searched:
            return kept
        rows = (searched.row(table.architecture(place)) for place in range(len(table)))
        return np.array([row is not None and bool(kept[row]) for row in rows])

    def as_json(self) -> dict[str, Any]:
        """All that has to be the same for two searches to be compared.

        Raises:
            BadTable: no architecture keeps the constraints and has the objective, or a score.
        """
        return {
            "benchmark": self.benchmark.name,
            "space": describe(self.benchmark.space),
            "objectives": [str(wanted) for wanted in self.goal.wanted],
            "optimum": self.benchmark.best_seen(self.goal.objectives[0], self._kept(self.benchmark.table)),
            "evaluations": self.evaluations,
            "seconds": self.seconds,
            "workers": self.workers,
            "timed": COST in self.benchmark.estimator.metrics,
            "judges": {
                name: {**judge.as_json(), "optimum": self.optimum(judge.benchmark, judge.objective)}
                for name, judge in self.judges.items()
            },
        }


@dataclass(frozen=True)
class Entry:
    """A strategy as it enters: what it is, and its bytes, from which each search gets a fresh copy."""

    description: dict[str, Any]
    packed: bytes
    is_baseline: bool


def title(benchmark: Benchmark) -> str:
    """What tells a benchmark from its variants: its data set if it has one, else its name."""
    made_by: Mapping[str, Any] = getattr(benchmark, "made_by", {"arguments": {}})
    return str(made_by["arguments"].get("dataset") or benchmark.name)


def enter(strategies: Mapping[str, Any] | Sequence[Any], terms: Terms) -> dict[str, Entry]:
    """The strategies by their labels, random search among them whether it was asked for or not.

    Args:
        strategies: by their labels; a sequence gets its classes' names, with the fields where a class comes twice.

    Raises:
        UnfairComparison: a strategy holds what it may not see.
        ArchwrightError: no strategy, one that can't answer to a table, or a label that can't be told.
    """
    named = dict(strategies) if isinstance(strategies, Mapping) else _labelled(strategies)
    if not any(type(strategy) is Random for strategy in named.values()):
        label = "random" if "random" not in named else "random search"  # a strategy of the user's own may be called so
        named = {label: Random(), **named}
    for label, strategy in named.items():
        if not str(label).strip():
            raise ArchwrightError(
                f"the label {label!r} of a strategy is blank, so nobody could tell whose figures are whose: "
                "give it another"
            )
        if isinstance(strategy, GradientStrategy) and not isinstance(strategy, type):
            raise ArchwrightError(
                f"{label} proposes no architectures, it trains an open network, so a table has no answers for it; "
                "search with it on data: archwright search ... --estimator weight-sharing"
            )
        if isinstance(strategy, type) or not callable(getattr(strategy, "propose", None)):
            given = strategy.__name__ if isinstance(strategy, type) else type(strategy).__name__
            hint = f"; make one: {given}()" if isinstance(strategy, type) else ""
            raise ArchwrightError(f"{label} is no strategy but {'the class ' if hint else 'a '}{given}{hint}")
    return {
        label: Entry(_description(strategy), _packed(label, strategy, terms), type(strategy) is Random)
        for label, strategy in named.items()
    }


def _labelled(strategies: Sequence[Any]) -> dict[str, Any]:
    names = [kebab(type(strategy).__name__) for strategy in strategies]
    labels = [name if names.count(name) == 1 else _with_fields(it) for name, it in zip(names, strategies, strict=True)]
    for label in labels:
        if labels.count(label) > 1:
            raise ArchwrightError(f"{label} is named twice; if the two differ, give them labels: {{'label': strategy}}")
    return dict(zip(labels, strategies, strict=True))


def _with_fields(strategy: Any) -> str:
    described = describe(strategy)
    fields = ",".join(f"{name}={value}" for name, value in described.get("arguments", {}).items())
    return f"{kebab(type(strategy).__name__)}({fields})"


def _description(strategy: Any) -> dict[str, Any]:
    """What tells whether a strategy is the one that a folder's searches were made with: fields, state, code."""
    described: dict[str, Any] = describe(strategy)
    if "repr" in described:
        described["state"] = describe(getattr(strategy, "__dict__", {}))
    return {**described, "code": _code(type(strategy))}


def _code(kind: type) -> str | None:
    """A digest of the file that the class is in; of the class alone where that file is the script that runs."""
    module = sys.modules.get(kind.__module__)
    try:
        source = inspect.getsource(kind if module is None or module.__name__ == "__main__" else module)
    except (OSError, TypeError):  # typed at a prompt
        return None
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _check_budget(benchmark: Benchmark, evaluations: int | None, seconds: float | None, workers: int) -> None:
    if evaluations is None and seconds is None:
        raise ArchwrightError(
            "a comparison needs a budget, the same for all: seconds (simulated), evaluations, or both"
        )
    for name, value in {"evaluations": evaluations, "seconds": seconds, "workers": workers}.items():
        if value is not None and not 0 < value < float("inf"):
            raise ArchwrightError(f"{name} has to be more than 0, not {value}")
    if seconds is not None and COST not in benchmark.estimator.metrics:
        raise UnfairComparison(
            f"the table of {benchmark.name} doesn't say what an evaluation costs (it has no column {COST}), so "
            "a budget of seconds would never be spent: give a budget of evaluations"
        )


def _judges(also: Mapping[str, Benchmark] | Sequence[Benchmark], benchmark: Benchmark) -> dict[str, Judge]:
    named = list(also.items()) if isinstance(also, Mapping) else [(title(other), other) for other in also]
    found: dict[str, Judge] = {}
    for name, other in named:
        known = benchmark if name == title(benchmark) else found[name].benchmark if name in found else None
        if known is None:
            found[name] = Judge(other)
        elif known.table.digest != other.table.digest:
            raise ArchwrightError(f"two judges are called {name}: give them names, also={{'name': benchmark}}")
    return found


def _check_judge(name: str, judge: Judge, benchmark: Benchmark) -> None:
    if seen := sorted(metric for metric in judge.benchmark.estimator.metrics if metric.startswith("test_")):
        raise UnfairComparison(
            f"{name}: its evaluations show {seen[0]} to the strategies: test metrics are for the judge"
        )
    if describe(judge.benchmark.space) != describe(benchmark.space):
        raise UnfairComparison(f"{name} can't judge winners of {benchmark.name}: it is about another space")
    known = {metric for metric, _ in judge.benchmark.table.parsed}
    if judge.benchmark.score not in known:
        raise UnfairComparison(f"{name} can't judge: {one_of('column', judge.benchmark.score, known)}")


def _packed(label: str, strategy: Any, terms: Terms) -> bytes:
    file = io.BytesIO()
    try:
        _Customs(file, label, terms).dump(strategy)
    except ArchwrightError:
        raise
    except Exception as error:
        raise ArchwrightError(
            f"{label} can't be copied, and each search needs a fresh copy of it: {type(error).__name__}: {error}"
        ) from error
    return file.getvalue()


class _Customs(Pickler):
    """Packs a strategy and looks at all that it takes along: fields, closures, globals that its methods name."""

    def __init__(self, file: io.BytesIO, label: str, terms: Terms) -> None:
        super().__init__(file)
        self.label = label
        self.columns = [column for judge in terms.judges.values() for column in judge.benchmark.table.columns.values()]

    def persistent_id(self, thing: Any) -> None:
        """Called by pickle for each object on the way."""
        if (what := self._forbidden(thing)) is not None:
            raise UnfairComparison(
                f"{self.label} holds {what}, so it could look answers up, test metrics too, without paying for them; a "
                "strategy knows the space and the history only"
            )

    def _forbidden(self, thing: Any) -> str | None:
        if isinstance(thing, np.ndarray):
            return "a column of the table" if any(np.may_share_memory(thing, one) for one in self.columns) else None
        if isinstance(thing, ModuleType):
            return thing.__name__ if thing.__name__.startswith("archwright.benchmarks") else None
        kind = thing if isinstance(thing, type | FunctionType) else type(thing)
        if str(getattr(kind, "__module__", "")).startswith("archwright.benchmarks"):
            return f"{kind.__name__} of archwright.benchmarks"
        return f"an estimator ({kind.__name__})" if callable(getattr(kind, "estimate", None)) else None
