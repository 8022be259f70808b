"""The main job: search, train the winner to the end, score it once on the test split, report, export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archwright as aw
from archwright import registry
from archwright.cli.checks import (
    check_budget,
    check_device,
    check_folder,
    check_open,
    check_pair,
    computing_on,
    equal_rungs,
    free_folder,
    goal_of,
)
from archwright.cli.config import Origin, Settings
from archwright.cli.outcome import Interrupted, NoWinner, Output
from archwright.cli.own import JOB, Own, kept, kept_parts, parts_of
from archwright.cli.parts import made
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import describe
from archwright.runtime.store import write_json

if TYPE_CHECKING:
    from archwright.run import Run
    from archwright.search import Budget, Search
    from archwright.tasks import Task
    from archwright.winner import Winner


@dataclass(frozen=True)
class Limits:
    """How trials run and how the winner is trained: what a run does not depend on."""

    workers: int = 1
    trial_minutes: float | None = None
    trial_memory: float | None = None
    train_epochs: int | None = None
    device: str = "auto"
    search_only: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The settings of these names."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    @classmethod
    def kept(cls, folder: Path) -> dict[str, Any]:
        """What the search of a run was started with, so that it goes on in the same way; empty if unknown."""
        names = {field.name for field in fields(cls)}
        return {name: value for name, value in kept(folder).items() if name in names and value is not None}

    def processes(self) -> aw.Processes:
        """Worker processes, always: a candidate that crashes must not take the search down."""
        return aw.Processes(
            self.workers,
            time_limit=self.trial_minutes and self.trial_minutes * 60,
            memory_limit=None if self.trial_memory is None else int(self.trial_memory * 2**30),
        )


def search(settings: Settings, origin: Origin, output: Output) -> tuple[Run, str | None]:
    """The main job from its settings. Every mistake is told before a trial starts.

    Returns:
        The run and why its search ended.
    """
    limits = Limits.of(settings)
    check_device(limits.device)
    budget = aw.Budget(settings.evaluations, settings.epochs, settings.minutes)
    if settings.out is not None:
        check_folder(settings.out)
    task = made("task", settings.task, origin)
    space = made("space", settings.space, origin)
    ours = {"task": task, "checkpoints": None} | ({} if settings.device == "auto" else {"device": settings.device})
    strategy = made("strategy", settings.strategy, origin, ours)
    check_budget(budget, strategy, task)
    task.splits  # noqa: B018 (loads the data now, not in the first trial)
    check_pair(space, task)
    goal, estimator = goal_of(
        settings,
        made("estimator", settings.estimator, origin, ours),
        task,
    )
    check_open(space, estimator, task)
    if (doubt := equal_rungs(strategy, estimator)) is not None:
        output.warn(doubt)
    folder = settings.out or free_folder(task)
    if (folder / "manifest.json").exists():
        _check_untrained(aw.load(folder), budget, limits)
    wanted = aw.search(space, strategy, estimator, objectives=goal, executor=limits.processes(), seed=settings.seed)
    wanted.budget = budget
    recorded = aw.record(wanted, folder)
    recorded.opening.append(lambda: _keep(folder, limits, parts_of(settings)))
    output.note(
        f"{task.name}: {_name(strategy)} over {_name(space)}, judged by {_name(estimator)}; the run is {folder}"
    )
    return _to_the_end(recorded, folder, space, task, limits, output)


def resume(folder: Path, budget: Budget | None, limits: Limits, own: Own, output: Output) -> tuple[Run, str | None]:
    """Continues a run, then ends as `search` does. What is said anew is kept before the first trial."""
    run = own.load(folder)
    check_device(limits.device)
    _check_untrained(run, budget or aw.Budget(**run.manifest["budget"]), limits)
    estimator = own.again(run, "estimator") or registry.rebuild("estimators", run.manifest["estimator"])
    if limits.device != Limits.kept(folder).get("device", Limits.device):  # it is said anew
        estimator = computing_on(estimator, limits.device)
    continued = aw.resume(
        folder,
        space=own.space,
        estimator=estimator,
        strategy=own.again(run, "strategy"),
        budget=budget,
        executor=limits.processes(),
    )
    continued.opening.append(lambda: _keep(folder, limits, kept_parts(folder)))
    output.note(f"{folder}: {len(run.history)} evaluations are kept, {len(run.history.pending)} were interrupted")
    return _to_the_end(continued, folder, own.space, own.task, limits, output)


def _keep(folder: Path, limits: Limits, parts: dict[str, Any]) -> None:
    write_json(folder / JOB, {**asdict(limits), "parts": parts})


def _to_the_end(
    search: Search, folder: Path, space: Any, task: Task | None, limits: Limits, output: Output
) -> tuple[Run, str | None]:
    with _resumable(folder):
        ended = _searched(search, folder, limits, output)
        output.note(f"the search has ended: {ended}")
        run = aw.load(folder, space=space, task=task)
        if run.history.best is None:
            _explain(run)
        if (choice := _choice_of_front(run, limits)) is not None:
            output.note(choice)
        if not limits.search_only:
            _train(run, limits, output)
        aw.reports.html(run)
        if not limits.search_only:
            try:
                export(run, "source")
            except aw.export.ExportError as error:  # a network of the user's own may do what no file can say
                output.warn(f"the trained model is kept, but not as source: {error}")
    return run, ended


def _searched(search: Search, folder: Path, limits: Limits, output: Output) -> str | None:
    """Searches to the end; where the winner is trained already, no further. Returns why the search has ended."""
    if limits.search_only or aw.load(folder).result is None:
        for _ in aw.progress(search, output.progress):
            pass
        return search.ended
    search.close()
    return search.budget.spent(search) or "its winner is trained; to search on, say --search-only"


def _check_untrained(run: Run, budget: Budget, limits: Limits) -> None:
    """Whether what a new budget would still find could be trained."""
    if run.result is None or limits.search_only:
        return
    if budget != aw.Budget(**run.manifest["budget"]) and budget.allows(run):
        raise ArchwrightError(
            f"{run.folder} has trained and scored evaluation {run.result['position']}, and a test split is scored once "
            "a run, so nothing that a longer search finds can be trained in it: go on with --search-only, or search "
            "anew in another folder"
        )


def _choice_of_front(run: Run, limits: Limits) -> str | None:
    """Which of a front with several points is trained, and how to have another; None where there is no choice."""
    objectives, front = run.history.goal.objectives, run.front
    if len(objectives) < 2 or len(front) < 2 or run.result is not None:
        return None
    best = f"the best by {objectives[0].metric}, evaluation {run.best.scored.position}"
    another = f"archwright train {run.folder} --evaluation N"
    if limits.search_only:
        return (
            f"the Pareto front has {len(front)} points: archwright train {run.folder} trains {best}; {another} another"
        )
    return (
        f"the Pareto front has {len(front)} points, of which {best}, is trained; to have another, search with "
        f"--search-only, look with archwright show, then {another}"
    )


def train(run: Run, limits: Limits, output: Output, position: int | None = None) -> Winner:
    """Trains the winner, or the evaluation at `position`, to the end and scores it, once in a run's life; reports.

    Returns:
        The one that is trained.

    Raises:
        ArchwrightError: the one at `position` failed, or another one is trained already.
    """
    with _resumable(run.folder, "the same command"):
        winner = _train(run, limits, output, position)
        aw.reports.html(run)
    return winner


def _train(run: Run, limits: Limits, output: Output, position: int | None = None) -> Winner:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if run.result is not None:
        return _already_trained(run, output, position)
    winner = _best(run) if position is None else run.winner(position)
    epochs = limits.train_epochs or run.task.epochs
    output.note(f"training evaluation {winner.scored.position} for {epochs} epochs on the train and valid splits")
    columns = (TextColumn("training"), BarColumn(60), MofNCompleteColumn(), TimeRemainingColumn())
    disable = not output.progress.is_terminal
    with Progress(*columns, console=output.progress, transient=True, disable=disable) as bar:
        shown = bar.add_task("training", total=epochs)
        winner.train(
            epochs=epochs,
            device=limits.device,
            on_epoch=lambda done, *_: bar.update(shown, completed=done),
        )
    return winner


def _already_trained(run: Run, output: Output, position: int | None) -> Winner:
    kept = trained(run)
    here = kept.scored.position
    if position not in (None, here):
        raise ArchwrightError(
            f"{run.folder} has trained and scored evaluation {here} already, and a test split is scored once a run, so "
            f"evaluation {position} can't be trained in it: search anew in another folder"
        )
    output.note(f"{run.folder} has its trained model, evaluation {here}: a test split is scored once a run")
    if here not in [winner.scored.position for winner in run.front]:
        output.note(
            f"the search has a better one since, evaluation {run.best.scored.position}: search anew to train it"
        )
    return kept


def export(run: Run, format: str, path: Path | None = None) -> aw.export.Exported:
    """Writes the trained model of a run in a format.

    Raises:
        ArchwrightError: nothing is trained yet, or there is no such format.
    """
    if format not in aw.export.FORMATS:
        raise ArchwrightError(one_of("export format", format, aw.export.FORMATS))
    winner, task = trained(run), run.task
    return aw.export.export(
        winner.trained(),
        path or run.folder / "export" / ("model" + SUFFIXES[format]),
        task,
        format,
        title=f"{task.name}: evaluation {winner.scored.position} of {run.folder}",
    )


SUFFIXES = {"source": ".py", "onnx": ".onnx", "torch": ".pt2"}


def trained(run: Run) -> Winner:
    """The one whose weights the run keeps.

    Raises:
        ArchwrightError: none is trained yet.
    """
    if run.result is None:
        raise ArchwrightError(f"{run.folder} has no trained model yet; train it first: archwright train {run.folder}")
    return run.winner(run.result["position"])


def _best(run: Run) -> Winner:
    if run.history.best is None:
        _explain(run)
    return run.best


def _explain(run: Run) -> None:
    """Says why there is no winner, with the run's own words."""
    try:
        _ = run.best
    except ArchwrightError as error:
        raise NoWinner(str(error)) from None


@contextmanager
def _resumable(folder: Path, again: str | None = None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(folder, again) from None


def _name(part: Any) -> str:
    described = describe(part)
    return str(described.get("name") or described["repr"].rpartition(".")[2])
