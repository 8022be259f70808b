"""A table of architectures that answers as an estimator: seconds of look-up in place of days of training."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.objective import BadObjective, Constraint, Goal, Objective, parse
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space

Numbers = np.ndarray[Any, np.dtype[Any]]

COST = "seconds"
"""The column that says what an evaluation costs."""

CLOSE = 1e-3
"""How near, as a share of it, a fidelity has to be to one of the table's: 0.037 means 1/27."""

COLUMN = re.compile(r"(?P<metric>[A-Za-z_]\w*)(?:@(?P<fidelity>[0-9.eE+-]+))?(?:#(?P<seed>\d+))?")
"""metric[@fidelity][#seed]: without a fidelity it holds at each, without a seed for each."""

Column = tuple[str, float | None, int | None]
"""What a column is of: metric, fidelity, seed."""


class BadTable(ArchwrightError):
    """A benchmark's table that can't be read, or lacks what is asked of it."""


@dataclass(frozen=True, eq=False)
class Table:
    """What was measured, a row an architecture.

    Attributes:
        columns: by name, `metric[@fidelity][#seed]` as in "valid_accuracy@0.06#0"; accuracies are shares of 1, not
            percent; an empty place is NaN. The metric `seconds` is the cost. Metrics named `test_...` never enter an
            evaluation; only `Benchmark.final` reads them, when a search is over.
        row: the row of an architecture; None if the table lacks it.
        architecture: the architecture of a row.
        fixed_order: the benchmark's code and columns settle which architecture a row is of, so that its digest need not
            ask for each: NAS-Bench-101 has 423,624.

    Raises:
        BadTable: columns of unequal lengths or without a row, one whose name says nothing, or two of the same.
    """

    columns: Mapping[str, Numbers]
    row: Callable[[Architecture], int | None]
    architecture: Callable[[int], Architecture]
    fixed_order: bool = False

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) != 1 or not next(iter(lengths)):
            raise BadTable("a table needs at least one row, and as many in each column")
        known: dict[Column, str] = {}
        for name in self.columns:
            before = known.setdefault(meaning(name), name)
            if before != name:
                raise BadTable(f"the columns {before} and {name} are of the same metric, fidelity and seed: keep one")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @cached_property
    def parsed(self) -> dict[tuple[str, float | None], dict[int | None, Numbers]]:
        """The columns by metric and fidelity, then by seed."""
        found: dict[tuple[str, float | None], dict[int | None, Numbers]] = defaultdict(dict)
        for name, column in self.columns.items():
            metric, fidelity, seed = meaning(name)
            found[metric, fidelity][seed] = column
        return dict(found)

    @cached_property
    def digest(self) -> str:
        """Of all that the table holds: its columns, and which architecture each row is of."""
        digest = hashlib.sha256()
        for name, column in sorted(self.columns.items()):
            digest.update(f"{name} {column.dtype} {len(column)}\n".encode())
            digest.update(np.ascontiguousarray(column).tobytes())
        if not self.fixed_order:
            for row in range(len(self)):
                digest.update(f"{self.architecture(row).to_json()}\n".encode())
        return digest.hexdigest()[:32]

    @cached_property
    def fidelities(self) -> tuple[float, ...]:
        """The fidelities that the table has, ascending; at least 1.0."""
        return tuple(sorted({fidelity for _, fidelity in self.parsed if fidelity is not None} | {1.0}))

    def level(self, fidelity: float) -> float:
        """The table's fidelity that is meant by a rounded one.

        Raises:
            BadTable: the table has none so near.
        """
        nearest = min(self.fidelities, key=lambda known: abs(known - fidelity))
        if not math.isclose(nearest, fidelity, rel_tol=CLOSE):
            known = ", ".join(f"{value:g}" for value in self.fidelities)
            raise BadTable(f"the table was measured at fidelity {known}, not at {fidelity:g}")
        return nearest

    def at(self, fidelity: float) -> dict[str, dict[int | None, Numbers]]:
        """The columns at a fidelity: those of a metric by seed, in the order of the seeds.

        Where a metric has columns of this very fidelity, those without one don't count, wherever they stand.

        Raises:
            BadTable: the table has no such fidelity.
        """
        meant = self.level(fidelity)
        return {
            metric: {seed: by_seed[seed] for seed in sorted(by_seed, key=lambda seed: -1 if seed is None else seed)}
            for (metric, level), by_seed in self.parsed.items()
            if level == meant or (level is None and (metric, meant) not in self.parsed)
        }

    def mean(self, metric: str) -> Numbers:
        """A metric at full fidelity, the mean over its seeds: (rows,).

        Raises:
            BadTable: no such metric.
        """
        if metric not in self._means:
            self._means[metric] = self._mean(metric)
        return self._means[metric]

    def repeated(self, metric: str) -> Numbers:
        """A metric at full fidelity in each of its seeds: (seeds, rows), NaN where there is none.

        Raises:
            BadTable: no such metric.
        """
        columns = self.at(1.0)
        if metric not in columns:
            raise BadTable(one_of("metric", metric, columns))
        return np.stack(list(columns[metric].values()))

    @cached_property
    def _means(self) -> dict[str, Numbers]:
        """Those asked for: a comparison asks for each incumbent, and a column may have 423,624 rows."""
        return {}

    def _mean(self, metric: str) -> Numbers:
        stacked = self.repeated(metric)
        mean: Numbers = stacked[0]
        if len(stacked) > 1:
            there = np.isfinite(stacked)
            with np.errstate(invalid="ignore"):  # no repetition at all: 0 / 0 is NaN, an empty place
                mean = np.where(there, stacked, 0.0).sum(axis=0) / there.sum(axis=0)
        return mean


def meaning(name: str) -> Column:
    """What a column called `metric[@fidelity][#seed]` is of; None for what its name doesn't say.

    Raises:
        BadTable: it is not called so, or the fidelity is no number in (0, 1].
    """
    parts = COLUMN.fullmatch(name)
    if parts is None:
        raise BadTable(f"a column is called metric[@fidelity][#seed], not {name!r}")
    fidelity = None if parts["fidelity"] is None else _share(parts["fidelity"])
    if fidelity is not None and not 0 < fidelity <= 1:
        raise BadTable(
            f"a fidelity is a share of the full training, above 0 and at most 1, as in valid_accuracy@0.1: {name}"
        )
    return parts["metric"], fidelity, None if parts["seed"] is None else int(parts["seed"])


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


class RowsApart(Space):
    """A space whose every architecture is its own, for tables that measured more than the graphs say.

    Where answers are reused by canonical key, a row is out of reach once its twin was asked about. That is right for
    accuracies, and wrong where twins differ, such as in latency.

    Attributes:
        graphs: the space itself, where equal graphs are equal.
    """

    def __init__(self, space: Space) -> None:
        super().__init__(space.factory, **space.choices)
        self.graphs = space

    def key(self, architecture: Architecture) -> str:
        """The decisions themselves."""
        return architecture.to_json()


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A space and its table.

    Attributes:
        objective: what a search on it is about, such as "valid_accuracy" or "min:valid_loss".
        score: the metric that the winner is judged by, once, when the search is over.
        fidelity_of: what full fidelity is a share of, in words, such as "12 epochs".
    """

    name: str
    space: Space
    table: Table
    objective: str = "valid_accuracy"
    score: str = "test_accuracy"
    fidelity_of: str = "the full training"

    def __reduce__(self) -> str | tuple[Any, ...]:
        made_by = getattr(self, "made_by", None)  # a table is read again, not sent, where that is possible
        if made_by is None:
            return super().__reduce__()
        return _made_again, (made_by["name"], made_by["arguments"])

    @property
    def estimator(self) -> Tabular:
        """Box three."""
        return Tabular(self)

    def final(self, architecture: Architecture) -> dict[str, float]:
        """The test metrics of a finished search's winner, means over the seeds at full fidelity.

        Raises:
            BadTable: the table lacks it.
        """
        row = self._row(architecture)
        known = {metric for metric, _ in self.table.parsed if metric.startswith("test_")}
        return {metric: float(self.table.mean(metric)[row]) for metric in sorted(known)}

    def optimum(self, metric: str | None = None, *, maximize: bool | None = None, rows: Numbers | None = None) -> float:
        """The best value in the table of a metric at full fidelity, the mean over its seeds.

        Args:
            metric: `score` if None.
            maximize: whether larger is better; if None what the metric's name tells, else as for `objective`.
            rows: which rows to look at, (rows,) of booleans; all if None.

        Raises:
            BadTable: no such metric, or these rows have no value of it.
        """
        wanted = self.direction(metric or self.score)
        larger = wanted.maximize if maximize is None else maximize
        return self._best(self.table.mean(wanted.metric), Objective(wanted.metric, larger), rows)

    def best_seen(self, objective: Objective, rows: Numbers | None = None) -> float:
        """The best value of a metric at full fidelity that a trial can be told: that of one repetition.

        Args:
            rows: which rows to look at, (rows,) of booleans; all if None.

        Raises:
            BadTable: no such metric, or these rows have no value of it.
        """
        every = self.table.repeated(objective.metric)
        return self._best(every, objective, None if rows is None else np.broadcast_to(rows, every.shape))

    def _best(self, values: Numbers, objective: Objective, rows: Numbers | None) -> float:
        known = values[~np.isnan(values) if rows is None else ~np.isnan(values) & rows]
        if not len(known):
            which = "" if rows is None else " that keeps the constraints"
            raise BadTable(f"no architecture of {self.name}{which} has a {objective.metric}, so there is no best one")
        return float(known.max() if objective.maximize else known.min())

    def direction(self, metric: str) -> Objective:
        """A metric as an objective: its direction is what its name tells, else that of the benchmark's objective."""
        try:
            named = parse(metric)
        except BadObjective:
            named = Goal.of(self.objective).objectives[0]
        return Objective(metric, maximize=isinstance(named, Objective) and named.maximize)

    def _row(self, architecture: Architecture) -> int:
        row = self.table.row(architecture)
        if row is None:
            raise BadTable(f"the table of {self.name} has no row for {architecture.to_json()}")
        return row


def _made_again(name: str, arguments: dict[str, Any]) -> Benchmark:
    from archwright import benchmarks

    made: Benchmark = getattr(benchmarks, name.replace("-", "_"))(**arguments)
    return made


@dataclass(frozen=True, eq=False)
class Tabular:
    """Answers a trial with what the table has for it; the cost is the table's, so time is simulated time.

    A trial's seed picks one of the repetitions that the table has of the architecture (seed modulo their number), and
    all metrics are of that one. Repetitions without the benchmark's objective, or without a cost where the table has
    costs, are passed over.

    Attributes:
        first: the repetition of seed 0. A comparison takes another one with each of its seeds: all its searches would
            share the luck of one training otherwise.
    """

    benchmark: Benchmark
    first: int = 0

    @cached_property
    def _levels(self) -> dict[float, list[dict[str, Numbers]]]:
        """The columns of each repetition by metric, at each fidelity."""
        table = self.benchmark.table
        return {fidelity: _repetitions(table.at(fidelity)) for fidelity in table.fidelities}

    @cached_property
    def _objective(self) -> str:
        return Goal.of(self.benchmark.objective).objectives[0].metric

    @cached_property
    def _timed(self) -> bool:
        return any(metric == COST for metric, _ in self.benchmark.table.parsed)

    def __getstate__(self) -> dict[str, Any]:
        return {"benchmark": self.benchmark, "first": self.first}

    @property
    def metrics(self) -> frozenset[str]:
        """What its evaluations have at full fidelity."""
        return frozenset(name for columns in self._levels[1.0] for name in columns)

    def estimate(self, space: Any, trial: Trial) -> Evaluation:
        """The table's row; a failure, at no cost, if the table lacks it or doesn't say what it cost.

        Raises:
            BadTable: no such fidelity.
        """
        row = self.benchmark.table.row(trial.architecture)
        if row is None:
            return Evaluation(trial, failure=f"the table of {self.benchmark.name} has no row for it")
        level = self._levels.get(trial.fidelity) or self._levels[self.benchmark.table.level(trial.fidelity)]
        priced = [columns for columns in level if _has(columns, COST, row)] if self._timed else level
        if not priced:  # no cost would be no time at all
            names = (self._objective, COST)
            lacking = [name for name in names if not any(_has(columns, name, row) for columns in level)]
            found = " and no ".join(lacking)
            return Evaluation(trial, failure=f"the table of {self.benchmark.name} has no {found} for it")
        known = [columns for columns in priced if _has(columns, self._objective, row)] or priced
        chosen = known[(self.first + trial.seed) % len(known)]
        metrics = {name: value for name, column in chosen.items() if (value := column.item(row)) == value}
        return Evaluation(trial, metrics, cost=metrics.get(COST, 0.0))

    def keeping(self, constraints: Iterable[Constraint]) -> Numbers:
        """Which rows keep all constraints at full fidelity, in any of their repetitions: (rows,) of booleans."""
        bounds, size = list(constraints), len(self.benchmark.table)
        kept = np.zeros(size, dtype=bool)
        for columns in self._levels[1.0]:
            inside = np.ones(size, dtype=bool)
            for bound in bounds:
                inside &= _inside(bound, columns.get(bound.metric))
            kept |= inside
        return kept


def _repetitions(columns: Mapping[str, Mapping[int | None, Numbers]]) -> list[dict[str, Numbers]]:
    """For each seed its columns by metric, none of a test metric; a column without a seed is in each."""
    shown = {metric: by_seed for metric, by_seed in columns.items() if not metric.startswith("test_")}
    numbered = sorted({seed for by_seed in shown.values() for seed in by_seed if seed is not None})
    seeds: list[int | None] = [*numbered] or [None]
    return [
        {
            metric: by_seed[seed] if seed in by_seed else by_seed[None]
            for metric, by_seed in shown.items()
            if seed in by_seed or None in by_seed
        }
        for seed in seeds
    ]


def _has(columns: Mapping[str, Numbers], metric: str, row: int) -> bool:
    """Whether the metric's place in the row is filled: an empty one is NaN."""
    return metric in columns and (value := columns[metric].item(row)) == value


def _inside(bound: Constraint, values: Numbers | None) -> Any:
    """Where values keep a constraint; what is not known does not."""
    if values is None:
        return False
    return values >= bound.limit if bound.at_least else values <= bound.limit
