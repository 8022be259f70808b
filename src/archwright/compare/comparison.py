"""What came out of a comparison: everything is computed from its manifest and its finished searches."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archwright.compare.ledger import Outcomes, read_manifest, read_outcomes
from archwright.compare.measuring import Outcome
from archwright.compare.statistics import Band, Ranking, Vector, band, ranking
from archwright.core.errors import ArchwrightError
from archwright.core.objective import parse
from archwright.runtime.store import StoreError, write_json

Axis = Literal["evaluations", "seconds"]

POINTS = 160
"""Of a curve."""

RESULT, TABLE, CURVES, SEARCHES = "result.json", "table.csv", "curves.csv", "searches.csv"


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample: divided by n - 1) over the seeds; NaN if there are too few."""

    mean: float
    std: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of those that are not NaN."""
        known = [value for value in values if not math.isnan(value)]
        mean = float(np.mean(known)) if known else math.nan
        return cls(mean, float(np.std(known, ddof=1)) if len(known) > 1 else math.nan)


@dataclass(frozen=True)
class Line:
    """A strategy's line of the table.

    Attributes:
        scores: the winners' test metric by each judge, on the seeds where it has one for every winner.
        value: the objective's metric of the winners.
        rank: the average rank by the first judge; NaN if it has no such seed.
        winnerless: searches that found no winner; they are in no mean, and have the last rank.
        early: searches that ended before the budget was spent, since the strategy had nothing left to ask.
        cpu_seconds: a search, of the strategy itself.
        wall_seconds: the same by the clock on the wall.
        proposal_seconds: CPU, a proposal.
    """

    strategy: str
    scores: Mapping[str, Spread]
    value: Spread
    rank: float
    searches: int
    winnerless: int
    early: int
    evaluations: float
    failures: float
    repeats: float
    cpu_seconds: float
    wall_seconds: float
    proposal_seconds: float


@dataclass(frozen=True)
class Curves:
    """Regret over an axis: how far the incumbent's test metric is from the table's best.

    Attributes:
        places: of each strategy, where its curve has points: (points,).
        bands: the regret there; NaN where the judge has no score for an incumbent of one of the searches. A strategy
            of which nothing is known is left out.
    """

    judge: str
    axis: Axis
    places: Mapping[str, Vector]
    bands: Mapping[str, Band]


class Comparison:
    """Strategies compared on a benchmark.

    Attributes:
        manifest: terms, strategies, seeds, versions and machine.
        outcomes: the finished searches, by strategy and seed.
        folder: where they are kept; None if nowhere.
    """

    def __init__(self, manifest: Mapping[str, Any], outcomes: Outcomes, folder: Path | None = None) -> None:
        self.manifest, self.outcomes, self.folder = manifest, outcomes, folder
        self._curves: dict[tuple[str, Axis], Curves] = {}

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Opens a comparison's folder.

        Raises:
            StoreError: it holds none, or searches are missing: the comparison was interrupted.
        """
        path = Path(folder)
        manifest, outcomes = read_manifest(path), read_outcomes(path)
        wanted = len(manifest["strategies"]) * manifest["seeds"]
        if len(outcomes) < wanted:
            raise StoreError(
                f"{path} was interrupted: {len(outcomes)} of {wanted} searches are done; compare again to go on"
            )
        return cls(manifest, outcomes, path)

    def until(self, seconds: float) -> Comparison:
        """The same searches, each cut at so many simulated seconds: one comparison answers for smaller budgets too.

        Overheads and counts remain those of the whole searches. A strategy that was told its budget by a field of its
        own (Q-learning's horizon) searched with the larger one in mind.

        Raises:
            ArchwrightError: the table doesn't say what evaluations cost, or the budget is not smaller.
        """
        whole = self.terms["seconds"]
        if not self.terms["timed"] or seconds <= 0 or (whole is not None and seconds > whole):
            raise ArchwrightError(f"a comparison of {whole} simulated seconds can't be cut at {seconds}")
        outcomes = {which: outcome.until(seconds) for which, outcome in self.outcomes.items()}
        return Comparison({**self.manifest, "terms": {**self.terms, "seconds": seconds}}, outcomes)

    @property
    def terms(self) -> Mapping[str, Any]:
        """What was equal for all."""
        terms: Mapping[str, Any] = self.manifest["terms"]
        return terms

    @property
    def strategies(self) -> list[str]:
        """Their labels, in the order given."""
        return list(self.manifest["strategies"])

    @property
    def baseline(self) -> str:
        """The label of random search, which every comparison has."""
        return str(self.manifest["baseline"])

    @property
    def judges(self) -> list[str]:
        """Their names; the benchmark that was searched is the first."""
        return list(self.terms["judges"])

    @property
    def axes(self) -> list[Axis]:
        """What curves can be drawn over: simulated seconds only if the table says what evaluations cost."""
        return ["evaluations", "seconds"] if self.terms["timed"] else ["evaluations"]

    def of(self, strategy: str) -> list[Outcome]:
        """A strategy's searches in the order of the seeds."""
        return [self.outcomes[strategy, seed] for seed in range(self.manifest["seeds"])]

    def finals(self, judge: str) -> dict[str, Vector]:
        """The winners' scores of each strategy, in the order of the seeds: (seeds,).

        NaN without a winner, and where the judge's table has no score for it.
        """
        return {
            name: np.array([_score(outcome, judge) for outcome in self.of(name)], dtype=float)
            for name in self.strategies
        }

    def unjudged(self, judge: str) -> dict[int, list[str]]:
        """The seeds on which a judge has no score for some winners, and whose: its tests and means leave them out.

        A search without a winner is no such case: that it found none is its result.
        """
        missing = {
            seed: [name for name in self.strategies if _lacks(self.outcomes[name, seed], judge)]
            for seed in range(self.manifest["seeds"])
        }
        return {seed: names for seed, names in missing.items() if names}

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """By judge."""
        return {
            judge: ranking({name: self._sign(judge) * scores for name, scores in self._judged(judge).items()})
            for judge in self.judges
        }

    @cached_property
    def lines(self) -> list[Line]:
        """The table, the best average rank first."""
        ranks = self.rankings[self.judges[0]].ranks
        finals = {judge: self._judged(judge) for judge in self.judges}
        lines = []
        for name, rank in ranks.items():
            searches = self.of(name)
            proposals = sum(outcome.proposals for outcome in searches)
            scores = {judge: Spread.of(finals[judge][name].tolist()) for judge in self.judges}
            values = [outcome.incumbents[-1].value if outcome.incumbents else math.nan for outcome in searches]
            lines.append(
                Line(
                    name,
                    scores,
                    Spread.of(values),
                    rank,
                    searches=len(searches),
                    winnerless=sum(not outcome.incumbents for outcome in searches),
                    early=sum(not outcome.complete for outcome in searches),
                    evaluations=_mean(len(outcome.times) for outcome in searches),
                    failures=_mean(outcome.failures for outcome in searches),
                    repeats=_mean(outcome.repeats for outcome in searches),
                    cpu_seconds=_mean(outcome.cpu_seconds for outcome in searches),
                    wall_seconds=_mean(outcome.wall_seconds for outcome in searches),
                    proposal_seconds=sum(outcome.cpu_seconds for outcome in searches) / max(proposals, 1),
                )
            )
        return lines

    def curves(self, judge: str, axis: Axis) -> Curves:
        """Anytime regret by a judge; the mean over the seeds, by step interpolation."""
        if (judge, axis) not in self._curves:
            places = {name: grid for name in self.strategies if (grid := _grid(self.of(name), axis)) is not None}
            optimum, sign, bands = self.terms["judges"][judge]["optimum"], self._sign(judge), {}
            for name, grid in places.items():
                scores = np.array([_steps(outcome, judge, axis, grid) for outcome in self.of(name)])
                if np.isfinite(scores).all(axis=0).any():
                    bands[name] = band(sign * (optimum - scores))
            self._curves[judge, axis] = Curves(judge, axis, places, bands)
        return self._curves[judge, axis]

    def as_json(self) -> dict[str, Any]:
        """All but the curves and the single searches."""
        from archwright.compare.verdict import verdict

        found = {
            "folder": None if self.folder is None else str(self.folder),
            "verdict": verdict(self),
            "table": [asdict(line) for line in self.lines],
            "optimum": {name: judge["optimum"] for name, judge in self.terms["judges"].items()},
            "rankings": {judge: {**asdict(found), "groups": found.groups()} for judge, found in self.rankings.items()},
            "manifest": self.manifest,
        }
        return _finite(found)  # type: ignore[no-any-return]

    def write(self, folder: str | Path | None = None) -> Path:
        """Writes result.json, table.csv, curves.csv and searches.csv.

        Args:
            folder: the comparison's own if None.

        Raises:
            ArchwrightError: the comparison has no folder, or it can't be written.
        """
        target = self.folder if folder is None else Path(folder)
        if target is None:
            raise ArchwrightError("this comparison has no folder: say where to write it")
        write_json(target / RESULT, self.as_json())
        files = {TABLE: self._table_rows(), CURVES: self._curve_rows(), SEARCHES: self._search_rows()}
        for name, rows in files.items():
            try:
                with (target / name).open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows(rows)
            except OSError as error:
                raise StoreError(f"can't write {target / name}: {error.strerror}") from error
        return target

    def _judged(self, judge: str) -> dict[str, Vector]:
        """The winners' scores on the seeds on which the judge has one for every winner: (those seeds,)."""
        left_out = list(self.unjudged(judge))
        return {name: np.delete(scores, left_out) for name, scores in self.finals(judge).items()}

    def _sign(self, judge: str) -> float:
        return 1.0 if self.terms["judges"][judge]["maximize"] else -1.0

    def _table_rows(self) -> Iterable[Sequence[Any]]:
        plain = [name for name in Line.__dataclass_fields__ if name not in ("strategy", "scores", "value")]
        scores = [f"{self.terms['judges'][judge]['score']} {judge} {part}" for judge in self.judges for part in _PARTS]
        metric = parse(self.terms["objectives"][0]).metric
        yield ["strategy", *scores, *(f"{metric} {part}" for part in _PARTS), *plain]
        for line in self.lines:
            spreads = [*line.scores.values(), line.value]
            numbers = [value for spread in spreads for value in (spread.mean, spread.std)]
            yield [line.strategy, *numbers, *(getattr(line, name) for name in plain)]

    def _curve_rows(self) -> Iterable[Sequence[Any]]:
        yield ["judge", "axis", "strategy", "place", "regret", "low", "high"]
        for judge in self.judges:
            for axis in self.axes:
                curves = self.curves(judge, axis)
                for name, found in curves.bands.items():
                    points = zip(curves.places[name], found.mean, found.low, found.high, strict=True)
                    yield from ([judge, axis, name, *map(float, point)] for point in points)

    def _search_rows(self) -> Iterable[Sequence[Any]]:
        plain = ["seconds", "proposals", "failures", "repeats", "rejected", "cpu_seconds", "wall_seconds", "complete"]
        yield ["strategy", "seed", *self.judges, "value", "evaluations", *plain, "ended"]
        for name in self.strategies:
            for outcome in self.of(name):
                value = outcome.incumbents[-1].value if outcome.incumbents else math.nan
                scores = [_score(outcome, judge) for judge in self.judges]
                rest = [getattr(outcome, column) for column in plain]
                yield [name, outcome.seed, *scores, value, len(outcome.times), *rest, outcome.ended]


_PARTS = ("mean", "std")


def _score(outcome: Outcome, judge: str) -> float:
    score = outcome.incumbents[-1].scores[judge] if outcome.incumbents else None
    return math.nan if score is None else score


def _lacks(outcome: Outcome, judge: str) -> bool:
    """Whether the judge has no score for the winner that there is."""
    return bool(outcome.incumbents) and outcome.incumbents[-1].scores[judge] is None


def _grid(searches: Sequence[Outcome], axis: Axis) -> Vector | None:
    """Where all searches have an incumbent and are not over; None if there is no such place.

    A search that ended early, having nothing left to ask, keeps its winner: it would not have spent more.
    """
    if not all(outcome.incumbents for outcome in searches):
        return None
    running = [outcome for outcome in searches if outcome.complete] or searches
    if axis == "evaluations":
        start = max(outcome.incumbents[0].evaluation for outcome in searches)
        end = min(len(outcome.times) for outcome in running)
        return np.unique(np.linspace(start, end, min(POINTS, end - start + 1)).round()) if end >= start else None
    first = max(outcome.incumbents[0].seconds for outcome in searches)
    last = min(outcome.seconds for outcome in running)
    return np.linspace(first, last, POINTS) if last > first else None


def _steps(outcome: Outcome, judge: str, axis: Axis, grid: Vector) -> Vector:
    """The score of the incumbent of each place."""
    since = [item.evaluation if axis == "evaluations" else item.seconds for item in outcome.incumbents]
    scores = [item.scores[judge] for item in outcome.incumbents]
    known = np.array([math.nan if score is None else score for score in scores], dtype=float)
    return known[np.searchsorted(since, grid, side="right") - 1]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _finite(data: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(data, Mapping):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
