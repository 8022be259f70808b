"""A diagnosis is made: the reference on a sample, then near its top, then every candidate on the same architectures."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from archwright.benchmarks.table import Benchmark
from archwright.core.architecture import Architecture
from archwright.core.asking import metrics_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.objective import SMALLER_IS_BETTER, BadObjective, Constraint, Goal, Objective, maximize, minimize
from archwright.core.parts import describe
from archwright.core.protocols import Estimator, Relaxes, SearchSpace
from archwright.diagnosis.learnt import Learnt
from archwright.diagnosis.naming import find, folder_of, in_words
from archwright.diagnosis.result import FORMAT, MANIFEST, NEAR_TOP, REFERENCE, Column, Diagnosis, Kind
from archwright.diagnosis.sampling import near, uniform
from archwright.diagnosis.statistics import LEAST, places
from archwright.estimators.predicted import Predicted
from archwright.run import record
from archwright.runtime.inline import Inline
from archwright.runtime.machine import machine
from archwright.runtime.store import StoreError, read_json, write_json
from archwright.search import search
from archwright.strategies.listed import Listed

AGAIN = 1
"""The seed of the reference's trials when it is asked again, to see how far it agrees with itself."""

BESIDE = ("_std", "_learnt_from")
"""How metrics end that say something about a prediction: nothing to rank by."""

OnAnswer = Callable[[str, int, int], None]
"""Told the run's label, how many of its trials are answered, and of how many."""


@dataclass(frozen=True)
class Candidate:
    """A cheap estimate, and what to rank by.

    Attributes:
        estimator: what answers.
        judged_by: objectives such as "max:synflow": each is ranked by alone, all come from the same evaluations. If
            empty: the reference's objective where the estimator measures it, or has no property `metrics` to say what
            it measures; else each metric of its own, larger being better unless its name says otherwise, as that of a
            loss does. Costs are none of its own, nor is what is told about a prediction: `..._std`, `..._learnt_from`.
        fidelity: of its trials.
        seed: of its trials.
    """

    estimator: Estimator
    judged_by: tuple[str, ...] = ()
    fidelity: float = 1.0
    seed: int = 0

    def goals(self, reference: Objective) -> list[Objective]:
        """What it is ranked by.

        Raises:
            ArchwrightError: it measures nothing to rank by.
        """
        if self.judged_by:
            return [_objective(text) for text in self.judged_by]
        known = getattr(self.estimator, "metrics", None)
        if known is None or reference.metric in known:
            return [reference]
        own = [_larger(metric) for metric in sorted(known - SMALLER_IS_BETTER) if not metric.endswith(BESIDE)]
        if not own:
            raise ArchwrightError(
                f"{type(self.estimator).__name__} measures no {reference.metric}, and nothing else to rank by: say "
                "what it is judged by, Candidate(estimator, judged_by=('max:...',))"
            )
        return own


@dataclass(frozen=True)
class Asked:
    """A run that a diagnosis needs: an estimator, asked about every architecture."""

    label: str
    estimator: Estimator
    objectives: list[Objective]
    fidelities: tuple[float, ...] = (1.0,)
    seed: int = 0

    @property
    def folder(self) -> str:
        """The run's folder in that of the diagnosis."""
        return folder_of(self.label)

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "estimator": describe(self.estimator),
            "objectives": [str(objective) for objective in self.objectives],
            "fidelity": self.fidelities[0],
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Plan:
    """A diagnosis that has been checked and can be made.

    Attributes:
        learnt: what each candidate has learnt from, in the order of the candidates.
    """

    space: SearchSpace
    reference: Asked
    candidates: list[Asked]
    learnt: list[Learnt]
    columns: list[Column]
    architectures: int
    near_top: int
    seed: int

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        candidates: Mapping[str, Any],
        reference: Estimator,
        *,
        architectures: int,
        near_top: int,
        objective: Any,
        fidelities: Sequence[float],
        again: bool,
        seed: int,
    ) -> Plan:
        """All that can be wrong is found now, before anything is asked.

        Raises:
            ArchwrightError: too few architectures, a fidelity or a label twice, two fidelities of as many epochs, no
                estimator where one should be.
            BadObjective: a metric that nobody measures.
            BadTable: a fidelity at which a benchmark was not measured.
            StoreError: a run to learn from that is none, or of another space.
        """
        if architectures < LEAST or near_top < 0:
            raise ArchwrightError(
                f"a diagnosis needs at least {LEAST} architectures, and 0 or more near the top, not {architectures} "
                f"and {near_top}"
            )
        wanted = _objective(objective)
        levels = _levels(fidelities, reference)
        main = Asked(REFERENCE, _estimator("the reference", reference), [wanted], (*levels, 1.0))
        columns = [_column(in_words(reference, 1.0, REFERENCE), main, wanted, "reference", 1.0)]
        columns += [_column(in_words(reference, level), main, wanted, "fidelity", level) for level in levels]
        asked: list[Asked] = []
        if again:
            asked.append(Asked(f"{columns[0].label}, again", reference, [wanted], seed=AGAIN))
            columns.append(_column(asked[-1].label, asked[-1], wanted, "again", 1.0))
        for label, given in candidates.items():
            run = None if isinstance(given, str | Objective) else _run_of(label, given, wanted)
            asked += [] if run is None else [run]
            columns += [_column(label, main, _objective(given), "metric", 1.0)] if run is None else _columns_of(run)
        if len(columns) == 1:
            raise ArchwrightError(
                "nothing to diagnose: give candidates, or fidelities at which the reference is asked as well"
            )
        _check_labels([column.label for column in columns], "labels")
        _check_labels([one.folder for one in (main, *asked)] + [NEAR_TOP], "folders")
        for one in (main, *asked):
            search(space, Listed(()), one.estimator, objectives=one.objectives)  # refuses what isn't measured
            if isinstance(benchmark := find(one.estimator, "benchmark"), Benchmark):
                for fidelity in one.fidelities:
                    benchmark.table.level(fidelity)
        own = [_objective(column.objective) for column in columns if column.run == REFERENCE]
        search(space, Listed(()), reference, objectives=list(dict.fromkeys(own)))
        learnt = [Learnt.of(space, one.estimator, one.fidelities[0]) for one in asked]
        return cls(space, main, asked, learnt, columns, architectures, near_top, seed)

    def run(self, folder: Path, executor: Executor | None = None, on_answer: OnAnswer | None = None) -> Diagnosis:
        """Asks what isn't answered yet, and computes. See `archwright.diagnose`."""
        manifest = self._manifest(folder)
        lent, tell = Lent(executor or Inline()), on_answer or (lambda label, done, total: None)
        try:
            sample = uniform(self.space, self.architectures, self.seed)
            self._try(sample[0], folder, lent)
            write_json(folder / MANIFEST, manifest)
            best = self._best(self._answered(self.reference, sample, folder, lent, tell), len(sample), folder)
            mutants = near(self.space, best, self.near_top, sample, self.seed)
            if mutants:
                self._answered(replace(self.reference, label=NEAR_TOP), mutants, folder, lent, tell)
            for one in self.candidates:
                with _naming(one.label):
                    self._answered(one, (*sample, *mutants), folder, lent, tell)
        finally:
            lent.end()
        known = {
            one.folder: learnt.as_json(self.space, (*sample, *mutants))
            for one, learnt in zip(self.candidates, self.learnt, strict=True)
        }
        columns = _merged(manifest["columns"], self.columns)
        known = {**manifest.get("learnt", {}), **known}
        write_json(folder / MANIFEST, {**manifest, "columns": columns, "learnt": known, "finished": True})
        diagnosis = Diagnosis.load(folder)
        diagnosis.write()
        return diagnosis

    def same_folder(self, parent: Path, stem: str) -> Path:
        """The folder `parent/stem-N` that this diagnosis goes on in; else the first that is free."""
        for number in itertools.count(1):
            folder = parent / f"{stem}-{number}"
            with suppress(StoreError):
                self._manifest(folder)
                break
        return folder

    def _try(self, architecture: Architecture, folder: Path, executor: Executor) -> None:
        """Asks whoever doesn't say what it measures about one architecture, before the reference costs anything.

        Raises:
            BadObjective: one of them doesn't measure what it is to be ranked by.
        """
        for one in self.candidates:
            if metrics_of(one.estimator) is None and not (folder / one.folder).exists():
                listed = Listed((architecture,), one.fidelities[:1], one.seed)
                asked = search(self.space, listed, one.estimator, objectives=one.objectives, executor=executor)
                with _naming(one.label):
                    list(asked)  # not recorded: the run is of all architectures, which aren't known yet

    def _answered(
        self, asked: Asked, architectures: tuple[Architecture, ...], folder: Path, executor: Executor, tell: OnAnswer
    ) -> History:
        strategy = Listed(architectures, asked.fidelities, asked.seed)
        wanted = search(
            self.space, strategy, asked.estimator, objectives=asked.objectives, executor=executor, seed=self.seed
        )
        total = len(architectures) * len(asked.fidelities)
        with record(wanted, folder / asked.folder) as running:
            tell(asked.label, len(running.history), total)
            for _ in running:
                tell(asked.label, len(running.history), total)
        return wanted.history

    def _best(self, history: History, count: int, folder: Path) -> list[Architecture]:
        """The reference's best tenth, the best first.

        Raises:
            ArchwrightError: it answered too few to rank anything.
        """
        known = [scored for scored in history.succeeded if scored.evaluation.trial.fidelity == 1.0]
        if len(known) < LEAST:
            reasons = [item.failure for item in history if item.failure is not None and item.trial.fidelity == 1.0]
            common = max(reasons, key=reasons.count, default=None)
            why = "" if common is None else f"; {reasons.count(common)} times: {common}"
            raise ArchwrightError(
                f"the reference answered for {len(known)} of {count} architectures, and {LEAST} is the least that can "
                f"be ranked{why} ({folder})"
            )
        known.sort(key=lambda scored: (scored.losses, history.numbers[scored.position]))
        return [scored.evaluation.trial.architecture for scored in known[: places(len(known))]]

    def _manifest(self, folder: Path) -> dict[str, Any]:
        """What is diagnosed, with all that was asked in the folder before.

        Its columns are those of diagnoses that came to their end there: they stay readable, whatever becomes of this.

        Raises:
            StoreError: the folder holds something else, another diagnosis, or another candidate of the same name.
        """
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "archwright": importlib.metadata.version("archwright"),
            "space": describe(self.space),
            "reference": describe(self.reference.estimator),
            "objective": str(self.reference.objectives[0]),
            "fidelities": list(self.reference.fidelities),
            "architectures": self.architectures,
            "near_top": self.near_top,
            "seed": self.seed,
            "candidates": {one.label: one.as_json() for one in self.candidates},
            "columns": [],
            "machine": machine("torch", "numpy", "scipy"),
            "finished": False,
        }
        manifest = json.loads(json.dumps(manifest))  # tuples become lists, as when it is read
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder} is a file: give a folder")
        if not folder.exists() or not any(folder.iterdir()):
            return manifest
        if not (folder / MANIFEST).exists():
            raise StoreError(f"{folder} holds something else: give another folder")
        old = read_json(folder / MANIFEST)
        for name in SAME:
            if old.get(name) != manifest[name]:
                shown = f"is {old.get(name)}, and now {manifest[name]}" if name in SHORT else "is another one"
                raise StoreError(f"{folder} holds another diagnosis: its {name} {shown}; give another folder")
        done = old["columns"] if old["finished"] else []
        _check_free(folder, old["candidates"], done, manifest["candidates"], self.columns)
        return {
            **manifest,
            "created": old["created"],
            "candidates": {**old["candidates"], **manifest["candidates"]},
            "columns": done,
            "learnt": old.get("learnt", {}),
            "finished": old["finished"],
        }


SHORT = ("objective", "fidelities", "architectures", "near_top", "seed")
SAME = ("space", "reference", *SHORT)
"""What has to be equal for a diagnosis to go on in its folder; candidates may be added."""


class Lent(Executor):
    """An executor that serves several searches, each of which would shut it down."""

    def __init__(self, of: Executor) -> None:
        self.of = of
        for name in ("workers", "clock", "wait"):  # what a search looks for
            if hasattr(of, name):
                setattr(self, name, getattr(of, name))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hands it on."""
        return self.of.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: another search comes."""
        _: Any = wait, cancel_futures

    def end(self) -> None:
        """Shuts it down."""
        self.of.shutdown(wait=False, cancel_futures=True)


def _check_free(
    folder: Path,
    known: Mapping[str, Any],
    done: Sequence[Mapping[str, Any]],
    candidates: Mapping[str, Any],
    columns: Sequence[Column],
) -> None:
    """Refuses a name that stands for something else in the folder already."""
    labels = {folder_of(label): label for label in known}
    named = {column["label"]: Column(**column) for column in done}
    taken = [
        label
        for label, candidate in candidates.items()
        if known.get(label, candidate) != candidate or labels.get(folder_of(label), label) != label
    ]
    taken += [column.label for column in columns if named.get(column.label, column) != column]
    if taken:
        raise StoreError(f"{folder} has another candidate {taken[0]!r}: give it another label, or another folder")


def _merged(done: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns that were there, then the new ones."""
    named = {column["label"] for column in done}
    return [*map(dict, done), *(asdict(column) for column in columns if column.label not in named)]


@contextmanager
def _naming(label: str) -> Iterator[None]:
    """Says which candidate it is that doesn't measure what it is ranked by."""
    try:
        yield
    except BadObjective as error:
        raise BadObjective(
            f"{label}: {error}; give the estimator a property `metrics`, the names of what it measures, or say what it "
            "is judged by: Candidate(estimator, judged_by=('max:...',))"
        ) from error


def _run_of(label: str, given: Any, reference: Objective) -> Asked:
    """The run of a candidate."""
    candidate = given if isinstance(given, Candidate) else Candidate(given)
    estimator = _estimator(label, candidate.estimator)
    innermost = _innermost(estimator)
    if isinstance(innermost, Predicted) and not innermost.runs:
        raise ArchwrightError(
            f"{label} has nothing to learn from, and would never answer: give it finished runs of other samples of the "
            "space, Predicted(runs=('runs/first',)), on the command line predicted(runs=[runs/first])"
        )
    return Asked(label, estimator, candidate.goals(reference), (candidate.fidelity,), candidate.seed)


def _innermost(estimator: Any) -> Any:
    """The estimator that others are round; `Staged`, which has two, is one by itself."""
    while hasattr(estimator, "of"):
        estimator = estimator.of
    return estimator


def _columns_of(run: Asked) -> list[Column]:
    """What a candidate's run is ranked by, a column each."""
    goals, fidelity = run.objectives, run.fidelities[0]
    labels = [run.label] if len(goals) == 1 else [f"{run.label}: {goal.metric}" for goal in goals]
    return [_column(label, run, goal, "estimator", fidelity) for label, goal in zip(labels, goals, strict=True)]


def _column(label: str, asked: Asked, objective: Objective, kind: Kind, fidelity: float) -> Column:
    return Column(label, asked.folder, str(objective), kind, fidelity, isinstance(asked.estimator, Relaxes))


def _objective(given: Any) -> Objective:
    goal = Goal.of(given)
    if len(goal.wanted) > 1 or isinstance(goal.wanted[0], Constraint):
        raise ArchwrightError(f"architectures are ranked by one objective at a time, not by {given!r}")
    return goal.objectives[0]


def _larger(metric: str) -> Objective:
    """The objective of a metric: the direction that the end of its name tells, as of train_loss, else larger."""
    smaller = any(f"_{metric}".endswith(f"_{word}") for word in SMALLER_IS_BETTER)
    return minimize(metric) if smaller else maximize(metric)


def _levels(fidelities: Sequence[float], reference: Estimator) -> list[float]:
    for fidelity in fidelities:
        if not 0.0 < fidelity < 1.0:
            raise ArchwrightError(f"the fidelities to look at are above 0 and below 1, not {fidelity:g}")
    if len(set(fidelities)) < len(fidelities):
        raise ArchwrightError("a fidelity is named twice")
    levels = sorted(fidelities)
    for low, high in itertools.pairwise((*levels, 1.0)):
        if in_words(reference, low) == in_words(reference, high):
            raise ArchwrightError(
                f"fidelities {low:.3g} and {high:.3g} of {in_words(reference, 1.0, 'the reference')} are both "
                f"{in_words(reference, low)}: raise the epochs of the reference or leave one out"
            )
    return levels


def _estimator(label: str, given: Any) -> Any:
    if isinstance(given, type) or not callable(getattr(given, "estimate", None)):
        name = given.__name__ if isinstance(given, type) else type(given).__name__
        hint = f"; make one: {name}(...)" if isinstance(given, type) else ""
        hint = hint or ("; give its estimator: benchmark.estimator" if hasattr(given, "estimator") else "")
        raise ArchwrightError(
            f"{label} is no estimator but {'the class' if isinstance(given, type) else 'a'} {name}{hint}"
        )
    return given


def _check_labels(labels: Sequence[str], kind: str) -> None:
    for label in labels:
        if labels.count(label) > 1:
            raise ArchwrightError(f"two of the {kind} are {label!r}: what is compared needs names that differ")
