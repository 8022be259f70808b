"""What came out of a diagnosis: everything is computed from its manifest and the histories of its runs."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archwright.compare.statistics import Vector
from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.objective import Objective, parse
from archwright.core.parts import INSIDE
from archwright.core.trial import Evaluation
from archwright.diagnosis.paid import epochs, seconds
from archwright.diagnosis.statistics import Agreement, Figure, difference, figure, kendall, mean, places, top_gap
from archwright.run import load
from archwright.runtime.store import StoreError, read_json, write_json

MANIFEST, RESULT, TABLE, SCORES = "diagnosis.json", "result.json", "table.csv", "scores.csv"
FORMAT = 1
"""Version of the folder's layout."""

REFERENCE, NEAR_TOP = "reference", "reference-near-top"
"""The runs of the reference: the fair sample, and what lies near its top."""

SIZES = ("parameters", "flops")
"""What every estimate is compared with, where a run measured it: counting costs nothing."""

ALL, HALF, TOP = "all", "better half", "near the top"
"""Of the fair sample all, the better half by the reference; the best tenth with their mutants."""

IN_TENTH = 5
"""Architectures that the best tenth needs before a mean over it is told."""

LEARNT = "it had learnt from it"
"""Why an answer doesn't count: it shows what the estimate remembers, not what it can foretell."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Kind = Literal["reference", "fidelity", "again", "estimator", "metric", "size"]


@dataclass(frozen=True)
class Column:
    """A score that every architecture has.

    Attributes:
        run: the folder of the run that has it.
        objective: by which metric, and which direction is better, such as "max:synflow".
        kind: the reference itself, at a lower fidelity or from another seed; a candidate; another metric of the
            reference's own evaluations; or a size.
        shares_weights: it is an estimate by shared weights.
    """

    label: str
    run: str
    objective: str
    kind: Kind
    fidelity: float = 1.0
    shares_weights: bool = False

    @property
    def by(self) -> Objective:
        """The objective, read."""
        read = parse(self.objective)
        assert isinstance(read, Objective)
        return read


@dataclass(frozen=True)
class Line:
    """How far a candidate ranks as the reference does.

    Attributes:
        answered: of the architectures that the reference answered for, those that it scored and had not learnt from;
            only they count.
        failures: why the others don't, and how often.
        seconds: of an answer, the median; NaN for a size, and for what came with the reference's answers.
        cost: all its seconds by all of the reference's, for the same architectures, so that what is trained once for
            all counts, and so do the runs that it learnt from. NaN where `seconds` is, where the reference costs
            nothing, or where what an answer cost isn't known.
        agreement: for `ALL`, `HALF` and `TOP`.
        over: Kendall's tau less that of counting parameters, FLOPs, on the same architectures.
        with_size: Kendall's tau with the numbers of parameters, FLOPs, in place of the reference.
        gap: its score less the reference's, where both are the same metric, the larger the better; else None.
        top_gap: by how much more that is for the best tenth than for the others. The best are those of the reference
            asked again, from another seed: the best by the reference itself owe a part of their scores to luck, which
            no estimate repeats. None without `again`, and where the tenth is fewer than `IN_TENTH` architectures.
    """

    column: Column
    answered: int
    failures: Mapping[str, int]
    seconds: float
    cost: float
    agreement: Mapping[str, Agreement]
    over: Mapping[str, Figure]
    with_size: Mapping[str, Figure]
    gap: Figure | None
    top_gap: Figure | None

    @property
    def label(self) -> str:
        """Its column's."""
        return self.column.label

    @property
    def tau(self) -> Figure:
        """Kendall's tau on the fair sample."""
        return self.agreement[ALL].tau


class Diagnosis:
    """How far cheap estimates rank as a reference does.

    Attributes:
        manifest: the parts, the sizes of the sample, the columns, versions and machine.
        histories: by run.
        folder: where they are kept.
    """

    def __init__(self, manifest: Mapping[str, Any], histories: Mapping[str, History], folder: Path) -> None:
        self.manifest, self.histories, self.folder = manifest, histories, folder
        self._answers = {run: _by_question(history) for run, history in histories.items()}

    @classmethod
    def load(cls, folder: str | Path) -> Diagnosis:
        """Opens a diagnosis's folder. This executes nothing: it reads JSON and numbers.

        Raises:
            StoreError: it holds none, or the diagnosis was interrupted.
        """
        path = Path(folder)
        if not (path / MANIFEST).is_file():
            raise StoreError(f"{path} is no diagnosis: it has no {MANIFEST}")
        manifest = read_json(path / MANIFEST)
        if manifest.get("format", FORMAT) > FORMAT:
            raise StoreError(f"{path} was written by a newer archwright: upgrade with `pip install -U archwright`")
        if not manifest["finished"]:
            raise StoreError(f"{path} was interrupted: diagnose again to go on")
        runs = dict.fromkeys([column["run"] for column in manifest["columns"]])
        if (path / NEAR_TOP).exists():
            runs[NEAR_TOP] = None
        return cls(manifest, {run: load(path / run).history for run in runs}, path)

    @cached_property
    def columns(self) -> list[Column]:
        """The reference, then all that is compared with it, sizes last."""
        asked = [Column(**given) for given in self.manifest["columns"]]
        sizes = [Column(name, REFERENCE, f"max:{name}", "size") for name in SIZES if self._has(name)]
        named = {column.label for column in asked}
        return asked + [column for column in sizes if column.label not in named]

    @property
    def reference(self) -> Column:
        """What all are compared with."""
        return self.columns[0]

    @cached_property
    def architectures(self) -> list[Architecture]:
        """All that were asked about: the fair sample, then the mutants of its best."""
        return [
            trial.architecture
            for run in (REFERENCE, NEAR_TOP)
            for trial in _in_order(self.histories.get(run))
            if trial.fidelity == 1.0
        ]

    @cached_property
    def fair(self) -> Mask:
        """Which of them are the fair sample."""
        count = sum(trial.fidelity == 1.0 for trial in _in_order(self.histories[REFERENCE]))
        return np.asarray(np.arange(len(self.architectures)) < count)

    def scores(self, column: Column) -> Vector:
        """A score of each architecture, turned so that larger is better; NaN without an answer: (architectures,)."""
        sign = 1.0 if column.by.maximize else -1.0
        return sign * np.array([self._value(column, architecture) for architecture in self.architectures], dtype=float)

    @cached_property
    def truth(self) -> Vector:
        """The reference's."""
        return self.scores(self.reference)

    @cached_property
    def regions(self) -> dict[str, Mask]:
        """Which architectures are in `ALL`, `HALF` and `TOP`; of those that the reference answered for."""
        known = np.isfinite(self.truth)
        fair = self.fair & known
        ranked = sorted(np.flatnonzero(fair), key=lambda place: -self.truth[place])
        half, top = np.zeros_like(fair), known & ~self.fair
        half[ranked[: (len(ranked) + 1) // 2]] = True
        top[ranked[: places(len(ranked))]] = True
        return {ALL: fair, HALF: half, **({TOP: top} if (known & ~self.fair).any() else {})}

    @cached_property
    def lines(self) -> list[Line]:
        """A line for all but the reference itself, in the order of the columns."""
        return [self._line(column) for column in self.columns[1:]]

    @cached_property
    def ceiling(self) -> Line | None:
        """How far the reference agrees with itself, asked from another seed; None if it wasn't asked.

        None too where it gave the same numbers again, as a table of one repetition does: that shows no noise.
        """
        return next((line for line in self.of_kind("again") if not self.repeats(line)), None)

    def repeats(self, line: Line) -> bool:
        """Whether all the answers are the reference's own, to the last digit."""
        return self._is_truth(self.scores(line.column))

    def _is_truth(self, scores: Vector) -> bool:
        known = np.isfinite(scores) & np.isfinite(self.truth)
        return bool((scores[known] == self.truth[known]).all())

    def of_kind(self, *kinds: Kind) -> list[Line]:
        """The lines of some kinds."""
        return [line for line in self.lines if line.column.kind in kinds]

    @cached_property
    def seconds(self) -> float:
        """Of an answer of the reference, the median."""
        return _median(self._seconds(self.reference, self.regions[ALL]))

    def is_unpriced(self, column: Column) -> bool:
        """Whether it isn't known what its answers, or those it learnt from, cost: a cache gave some without saying."""
        return math.isnan(self._before(column)) or any(map(math.isnan, map(seconds, self.histories[column.run])))

    @property
    def unanswered(self) -> dict[str, int]:
        """Why the reference failed, and how often."""
        return self._failures(self.reference, np.isnan(self.truth))

    def as_json(self) -> dict[str, Any]:
        """All but the scores of single architectures."""
        from archwright.diagnosis.verdict import verdict, warnings

        found = {
            "folder": str(self.folder),
            "verdict": verdict(self),
            "warnings": warnings(self),
            "reference": {
                "label": self.reference.label,
                "objective": self.reference.objective,
                "seconds": self.seconds,
                "architectures": {region: int(inside.sum()) for region, inside in self.regions.items()},
                "failures": self.unanswered,
            },
            "lines": [{"label": line.label, **asdict(line)} for line in self.lines],
            "manifest": self.manifest,
        }
        return _finite(found)  # type: ignore[no-any-return]

    def write(self) -> Path:
        """Writes result.json, table.csv and scores.csv into the folder.

        Raises:
            StoreError: the folder can't be written.
        """
        write_json(self.folder / RESULT, self.as_json())
        for name, rows in {TABLE: self._table_rows(), SCORES: self._score_rows()}.items():
            try:
                with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows(rows)
            except OSError as error:
                raise StoreError(f"can't write {self.folder / name}: {error.strerror}") from error
        return self.folder

    def _line(self, column: Column) -> Line:
        scores = self.scores(column)
        known = np.isfinite(scores)
        inside = {region: where & known for region, where in self.regions.items()}
        fair = inside[ALL]
        others = {size.label: self.scores(size) for size in self._sizes if size.label != column.label}
        compared = {label: (fair & np.isfinite(other), other) for label, other in others.items()}
        same = column.kind != "size" and column.by == self.reference.by
        has_cost = column.kind not in ("size", "metric")
        return Line(
            column,
            answered=int((known & np.isfinite(self.truth)).sum()),
            failures=self._failures(column, ~known & np.isfinite(self.truth)),
            seconds=_median(self._seconds(column, fair)) if has_cost else math.nan,
            cost=self._cost(column, fair) if has_cost else math.nan,
            agreement={region: Agreement.of(self.truth[where], scores[where]) for region, where in inside.items()},
            over={
                label: difference(self.truth[where], scores[where], other[where])
                for label, (where, other) in compared.items()
            },
            with_size={
                label: figure(other[where], scores[where], kendall) for label, (where, other) in compared.items()
            },
            gap=mean((scores - self.truth)[fair]) if same else None,
            top_gap=self._top_gap(scores) if same and column.kind != "again" else None,
        )

    def _top_gap(self, scores: Vector) -> Figure | None:
        judge = self._judge
        if judge is None:
            return None
        known = self.regions[ALL] & np.isfinite(scores) & np.isfinite(judge)
        if places(int(known.sum())) < IN_TENTH:
            return None
        return top_gap(judge[known], (scores - self.truth)[known])

    @cached_property
    def _judge(self) -> Vector | None:
        """The reference's scores from another seed; None without any, or where they are the same numbers again."""
        again = next((self.scores(column) for column in self.columns if column.kind == "again"), None)
        return None if again is None or self._is_truth(again) else again

    @property
    def _sizes(self) -> list[Column]:
        return [column for column in self.columns if column.kind == "size"]

    def _has(self, metric: str) -> bool:
        return any(metric in item.metrics for answers in self._answers.values() for item in answers.values())

    def _value(self, column: Column, architecture: Architecture) -> float:
        metric = column.by.metric
        if column.kind == "size":  # whoever measured it
            return next((item.metrics[metric] for item in self._of[architecture] if metric in item.metrics), math.nan)
        item = None if self._knew(column, architecture) else self._answer(column, architecture)
        return math.nan if item is None else item.metrics.get(metric, math.nan)

    def _knew(self, column: Column, architecture: Architecture) -> bool:
        return architecture.to_json() in self._learnt.get(column.run, ())

    @cached_property
    def _learnt(self) -> dict[str, frozenset[str]]:
        """By run, the architectures that its estimator had learnt from."""
        return {run: frozenset(known["architectures"]) for run, known in self.manifest.get("learnt", {}).items()}

    @cached_property
    def _of(self) -> Mapping[Architecture, list[Evaluation]]:
        """All that is known of an architecture, full fidelity first."""
        found: dict[Architecture, list[Evaluation]] = defaultdict(list)
        for answers in self._answers.values():
            for (architecture, _), item in answers.items():
                found[architecture].append(item)
        for items in found.values():
            items.sort(key=lambda item: -item.trial.fidelity)
        return found

    def _answer(self, column: Column, architecture: Architecture) -> Evaluation | None:
        runs = (column.run, NEAR_TOP) if column.run == REFERENCE else (column.run,)
        found = (self._answers.get(run, {}).get((architecture, column.fidelity)) for run in runs)
        return next((item for item in found if item is not None), None)

    def _failures(self, column: Column, where: Mask) -> dict[str, int]:
        missing = [self.architectures[place] for place in np.flatnonzero(where)]
        reasons = (
            LEARNT if self._knew(column, one) else _reason(self._answer(column, one), column.by.metric)
            for one in missing
        )
        return dict(Counter(reasons).most_common())

    def _seconds(self, column: Column, where: Mask) -> list[float]:
        return [self._from_scratch(column, self.architectures[place]) for place in np.flatnonzero(where)]

    def _from_scratch(self, column: Column, architecture: Architecture) -> float:
        """Seconds of an answer; one that went on from a lower fidelity's training is charged for that too.

        An answer that `Cached` kept is charged for what it cost when it was made.
        """
        item = self._answer(column, architecture)
        if item is None:
            return math.nan
        fewer = epochs(item) < self._trainings * len(item.curve)
        went_on = fewer and column.run == REFERENCE  # the others are asked at one fidelity
        lower = [level for level in self.manifest["fidelities"] if level < column.fidelity] if went_on else []
        before = [replace(column, fidelity=max(lower))] if lower else []
        return seconds(item) + sum(self._from_scratch(one, architecture) for one in before)

    @cached_property
    def _trainings(self) -> int:
        """How many trainings an answer of the reference is: their epochs are added up, and their curve is the mean."""
        described, trainings = self.manifest["reference"], 1
        while isinstance(described, Mapping) and isinstance(arguments := described.get("arguments"), Mapping):
            trainings *= arguments.get("seeds", 1) if described.get("name") == "mean" else 1
            described = next((arguments[inside] for inside in INSIDE if inside in arguments), None)
        return trainings

    def _cost(self, column: Column, where: Mask) -> float:
        ours, all_of = self._seconds(column, where), self._seconds(self.reference, where)
        return (math.fsum(ours) + self._before(column)) / math.fsum(all_of) if math.fsum(all_of) > 0 else math.nan

    def _before(self, column: Column) -> float:
        """Seconds of the runs that it learnt from; NaN where that isn't known."""
        found = self.manifest.get("learnt", {}).get(column.run, {}).get("seconds", 0.0)
        return math.nan if found is None else float(found)

    def _table_rows(self) -> Iterator[Sequence[Any]]:
        parts = ("value", "low", "high")
        figures = ("tau", "spearman", "recall", "regret")
        names = [f"{name} {region} {part}" for region in self.regions for name in figures for part in parts]
        yield ["label", "kind", "objective", "fidelity", "answered", "seconds", "cost", *names]
        for line in self.lines:
            given = [getattr(line.agreement[region], name) for region in self.regions for name in figures]
            numbers = [getattr(one, part) for one in given for part in parts]
            column = line.column
            yield [
                *(column.label, column.kind, column.objective, column.fidelity),
                *(line.answered, line.seconds, line.cost, *numbers),
            ]

    def _score_rows(self) -> Iterator[Sequence[Any]]:
        """As measured, in their own direction."""
        yield ["architecture", "sample", *(column.label for column in self.columns)]
        columns = [(1.0 if column.by.maximize else -1.0) * self.scores(column) for column in self.columns]
        for place, architecture in enumerate(self.architectures):
            kind = "fair" if self.fair[place] else "near the top"
            yield [architecture.to_json(), kind, *(values[place] for values in columns)]


Question = tuple[Architecture, float]


def _by_question(history: History) -> dict[Question, Evaluation]:
    return {(item.trial.architecture, item.trial.fidelity): item for item in history}


def _in_order(history: History | None) -> list[Any]:
    """The trials in the order in which they were asked: with several workers answers arrive in another one."""
    if history is None:
        return []
    order = sorted(range(len(history)), key=history.numbers.__getitem__)
    return [history[place].trial for place in order]


def _reason(item: Evaluation | None, metric: str) -> str:
    """Why there is no finite value of a metric.

    An evaluation that is judged by several metrics fails for the first that is missing: that is no reason for another.
    """
    if item is not None and item.failure is not None:
        other = re.fullmatch(r"(\w+) (?:was not measured|is (?:nan|-?inf))", item.failure)
        if other is None or other[1] == metric:
            return item.failure
    return f"{metric} was not measured" if item is None or metric not in item.metrics else f"{metric} is not finite"


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _finite(data: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(data, Mapping):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
