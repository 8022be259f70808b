"""What is checked before a trial starts, so that a mistake costs seconds."""

from __future__ import annotations

import itertools
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archwright as aw
from archwright import registry
from archwright.cli.config import Settings
from archwright.cli.defaults import BUDGETS
from archwright.cli.fields import fields_of
from archwright.core.choices import BadSpace
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.objective import BadObjective, Goal, parse
from archwright.core.parts import ESTIMATORS, INSIDE, describe, rebuildable
from archwright.core.protocols import GradientStrategy
from archwright.core.rng import Streams

if TYPE_CHECKING:
    from archwright.search import Budget
    from archwright.tasks import Task


def goal_of(settings: Settings, estimator: Any, task: Task) -> tuple[Goal, Any]:
    """What is wanted, and the estimator with the costs that it has to measure for that."""
    known: frozenset[str] = getattr(estimator, "metrics", frozenset())
    makers = {maker.metric: maker for maker in registry.parts("costs").values()}  # type: ignore[attr-defined]
    wanted = []
    for text in settings.objectives or [f"valid_{task.score}"]:
        if text.isidentifier() and known and text not in known | set(makers):
            hint = "" if settings.objectives else "; say what to search by, such as --objective max:NAME"
            raise BadObjective(one_of("metric", text, known | set(makers)) + hint)
        wanted.append(parse(text))
    goal = Goal.of(wanted)
    metrics = [item.metric for item in goal.objectives] + [item.metric for item in goal.constraints]
    lacking = dict.fromkeys(metric for metric in metrics if known and metric not in known and metric in makers)
    more = tuple(_cost(makers[metric], settings.device) for metric in lacking)
    return goal, _measuring(estimator, more) if more else estimator


def _measuring(estimator: Any, more: tuple[Any, ...]) -> Any:
    """The estimator, or that of those inside it which measures costs, with some more of them."""
    if hasattr(estimator, "costs"):
        return replace(estimator, costs=(*estimator.costs, *more))
    inside = next((name for name in INSIDE if hasattr(estimator, name)), None)
    return estimator if inside is None else replace(estimator, **{inside: _measuring(getattr(estimator, inside), more)})


def _cost(maker: Any, device: str) -> Any:
    from archwright.training.loop import pick_device

    return maker(device=str(pick_device(device))) if "device" in fields_of(maker) else maker()


def computing_on(estimator: Any, device: str) -> Any:
    """The estimator with another `device`, and so the estimators inside it; costs are measured where they were."""
    if not is_dataclass(estimator) or isinstance(estimator, type):
        return estimator
    given = {field.name: getattr(estimator, field.name) for field in fields(estimator) if field.init}
    changed = {name: computing_on(value, device) for name, value in given.items() if name in ESTIMATORS}
    changed |= {"device": device} if "device" in given else {}
    return replace(estimator, **changed) if changed else estimator


def equal_rungs(strategy: Any, estimator: Any) -> str | None:
    """What to say where two rungs come to the same training, so that a promotion between them trains nothing."""
    from archwright.diagnosis.naming import in_words

    rungs = getattr(strategy, "rungs", None)
    words = [in_words(estimator, level) for level in getattr(rungs, "levels", ())]
    if len(set(words)) == len(words):
        return None
    return f"the rungs are {', '.join(words)}: give the training more epochs, or the strategy a higher `lowest`"


def check_device(device: str) -> None:
    """Whether this machine has the device."""
    from archwright.training.loop import pick_device

    pick_device(device)


def check_folder(folder: Path) -> None:
    """Whether a run may lie there; whether it is the same search is for `record` to say."""
    if folder.is_dir() and not (folder / "manifest.json").exists() and any(folder.iterdir()):
        raise ArchwrightError(f"{folder} is not empty and no run of archwright: give another folder with --out")


def check_budget(budget: Budget, strategy: Any, task: Task) -> None:
    """Whether the search will end."""
    ends = getattr(strategy, "ends", False) or isinstance(strategy, GradientStrategy)
    if budget == aw.Budget() and not ends:
        options = ", ".join(f"--{name}" for name in BUDGETS)
        raise ArchwrightError(f"how long may the search on {task.name} take? give a budget: one or more of {options}")


def check_pair(space: Any, task: Task) -> None:
    """Whether the library's space makes networks for such data at all; the user's own are tried in workers only."""
    from archwright.estimators.costing import costs_of

    if not rebuildable(describe(space)):
        return
    last: ArchwrightError | None = None
    streams = Streams(0)
    for number in range(5):  # one may be too deep for the images, five hardly
        try:
            costs_of(space, aw.spaces.sample(space, streams[number]), task.signature, [aw.Parameters()])  # builds it
            return
        except ArchwrightError as error:
            last = error
    if last is not None:
        raise last


def check_open(space: Any, estimator: Any, task: Task) -> None:
    """Whether the library's space can be left open, where the estimator shares weights."""
    import torch

    from archwright.estimators import WeightSharing
    from archwright.supernets import OpenNetwork

    if not (isinstance(estimator, WeightSharing) and rebuildable(describe(space))):
        return
    try:
        with torch.device("meta"):
            OpenNetwork(space, task.signature)
    except BadSpace:
        raise ArchwrightError(
            f"{space!r} can't be left open, and {type(estimator).__name__} needs that: some of its choices are no ops; "
            "docs/weight_sharing.md lists the spaces that can"
        ) from None
    except (NotImplementedError, RuntimeError):  # a constructor that computes with its weights: it will be seen
        return


def free_folder(task: Task) -> Path:
    """The first of runs/TASK-1, -2, ... that is not there yet."""
    folders = (Path("runs") / f"{task.name}-{number}" for number in itertools.count(1))
    return next(folder for folder in folders if not folder.exists())
