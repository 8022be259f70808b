"""What a report says in words and numbers, taken from a run. No drawing, no HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.objective import Objective
from archwright.core.trial import Evaluation
from archwright.objectives.pareto import hypervolume
from archwright.run import Run
from archwright.terminal import clock, number

Item = TypeVar("Item")


@dataclass(frozen=True)
class Fact:
    """One line of a list of facts."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Moment:
    """An evaluation on the way: how much was spent when it arrived, and its first objective.

    Attributes:
        counts: it may become the incumbent: feasible, and at the highest fidelity of the run.
    """

    spent: int
    seconds: float
    value: float
    counts: bool


@dataclass(frozen=True)
class Reason:
    """Evaluations that failed, or were excluded, for the same reason."""

    text: str
    count: int
    example: Evaluation


@dataclass(frozen=True)
class Volume:
    """The hypervolume of a front.

    Attributes:
        reference: the worst value seen of each objective, as the metric is (not negated).
        share: of the box between the best and the worst values seen; None if that box is flat.
        at_least: the front was thinned to be computed in time, so this is a lower bound.
    """

    value: float
    reference: tuple[tuple[str, float], ...]
    share: float | None
    at_least: bool


def show(value: float) -> str:
    """A metric for people, whatever it is."""
    return number(value) if math.isfinite(value) else str(value)


def duration(seconds: float) -> str:
    """4.21 -> 4.2 s, 75 -> 1:15."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def metric_value(objective: Objective, loss: float) -> float:
    """The metric as it was measured, from the inner convention."""
    return -loss if objective.maximize else loss


def spread(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of the items, evenly spaced, the first and the last among them."""
    if len(items) <= limit:
        return list(items)
    return [items[round(index * (len(items) - 1) / (limit - 1))] for index in range(limit)]


def part_name(description: Any) -> str:
    """What a manifest calls a part, or the class of a user's own."""
    if isinstance(description, dict):
        return str(description.get("name") or str(description.get("repr", "?")).rpartition(".")[2])
    return str(description)


def part_settings(description: Any) -> str:
    """A part's arguments in a line: those that are plain numbers and texts."""
    arguments = description.get("arguments") if isinstance(description, dict) else None
    if not isinstance(arguments, dict):
        return ""
    return ", ".join(f"{name} {_plain(value)}" for name, value in arguments.items() if _plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, bool | int | float | str):
        return str(value)
    if isinstance(value, dict):
        return part_name(value) if "name" in value else ""
    if isinstance(value, list) and len(value) <= 6 and all(isinstance(item, int | float | str) for item in value):
        return "/".join(map(str, value))
    return ""


def space_size(run: Run) -> str:
    """The exact number of architectures, in words."""
    size = run.manifest.get("space_size")
    if size is None:
        return "a space of unknown size"
    if not str(size).isdigit():
        return "infinitely many architectures"
    about = f" (about 10^{len(size) - 1})" if len(size) > 12 else ""
    return f"{int(size):,} architecture{'' if int(size) == 1 else 's'}{about}"


def title(run: Run) -> str:
    """What was searched for what."""
    task = run.manifest.get("task")
    return part_name(run.manifest["space"]) + (
        f" for {task['name']}" if isinstance(task, dict) and "name" in task else ""
    )


def setting(run: Run) -> list[Fact]:
    """What was searched."""
    manifest, goal = run.manifest, run.history.goal
    task = manifest.get("task")
    facts = [Fact("Task", "none named")]
    if isinstance(task, dict):
        shape = " x ".join(map(str, task.get("input_shape", ())))
        sizes = ", ".join(f"{name} {task[name]['size']:,}" for name in ("train", "valid", "test") if name in task)
        facts = [
            Fact("Task", str(task.get("name")), "; ".join(filter(None, [f"inputs {shape}" if shape else "", sizes])))
        ]
    size, settings = space_size(run), part_settings(manifest["space"])
    facts.append(Fact("Search space", part_name(manifest["space"]), f"{size}; {settings}" if settings else size))
    for name, key in (("Search strategy", "strategy"), ("Estimator", "estimator")):
        facts.append(Fact(name, part_name(manifest[key]), part_settings(manifest[key])))
    facts.append(Fact("Objectives", ", ".join(map(direction, goal.objectives))))
    if goal.constraints:
        facts.append(Fact("Constraints", ", ".join(map(str, goal.constraints))))
    return facts


def direction(objective: Objective) -> str:
    """An objective in words."""
    return f"{'maximise' if objective.maximize else 'minimise'} {objective.metric}"


def cost(run: Run) -> list[Fact]:
    """What the search spent."""
    history = run.history
    rejected = sum(evaluation.rejected for evaluation in history)
    facts = [
        Fact("evaluations", f"{history.spent:,}", "that cost something"),
        Fact("reused", f"{sum(item.reused is not None for item in history):,}", "known answers, at no cost"),
        Fact("excluded", f"{rejected:,}", "by a constraint, before any cost"),
        Fact("failures", f"{len(failures(history)):,}", "recorded, with their reasons"),
        Fact("elapsed", duration(run.times[-1] if run.times else 0.0), "of the search"),
        Fact("cost", duration(sum(evaluation.cost for evaluation in history)), "of all evaluations, summed"),
    ]
    if history.epochs:
        facts.append(Fact("epochs", f"{history.epochs:,g}", "trained in the search"))
    if history.pending:
        facts.append(Fact("pending", f"{len(history.pending):,}", "asked, not answered yet"))
    return facts


def goal_metrics(run: Run) -> list[str]:
    """The metrics of the objectives, then those of the constraints."""
    goal = run.history.goal
    return list(dict.fromkeys([item.metric for item in goal.objectives] + [item.metric for item in goal.constraints]))


def metrics_in_words(run: Run, evaluation: Evaluation) -> str:
    """An evaluation's wanted metrics, then what its network costs."""
    wanted = dict.fromkeys([*goal_metrics(run), "parameters", "flops"])
    return ", ".join(f"{name} {show(evaluation.metrics[name])}" for name in wanted if name in evaluation.metrics)


def no_winner(run: Run) -> str | None:
    """Why there is no winner; None if there is one."""
    try:
        _ = run.best
    except ArchwrightError as error:
        return str(error).removeprefix(f"{run.folder} ")
    return None


def test_scores(run: Run) -> list[Fact]:
    """What the winner scored on the test split; empty before it was trained to the end."""
    result = run.result or {}
    return [Fact(name, show(value)) for name, value in result.items() if name.startswith("test_") and _is_number(value)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def ranking(history: History) -> list[Scored]:
    """The answers that were paid for, the incumbent first: feasible, high fidelity, then by objectives."""
    paid = [scored for scored in history.succeeded if scored.evaluation.reused is None]
    return sorted(paid, key=lambda item: (item.violation, -item.evaluation.trial.fidelity, item.losses))


def full(history: History) -> list[Scored]:
    """Those that a front is made of: paid for, feasible and at the highest fidelity seen."""
    ranked = [scored for scored in ranking(history) if scored.violation == 0.0]
    return [item for item in ranked if item.evaluation.trial.fidelity == ranked[0].evaluation.trial.fidelity]


def trajectory(run: Run) -> tuple[list[Moment], list[Moment]]:
    """Every answer that was paid for, in order; and of these the ones that became the incumbent."""
    history, spent = run.history, 0
    counting = {scored.position for scored in full(history)}
    moments: list[Moment] = []
    incumbents: list[Moment] = []
    best: tuple[float, tuple[float, ...]] | None = None
    for position, evaluation in enumerate(history):
        if evaluation.reused is not None or evaluation.rejected:
            continue
        spent += 1
        scored = history.scored(position)
        if scored is None:
            continue
        value = metric_value(history.goal.objectives[0], scored.losses[0])
        moments.append(Moment(spent, run.times[position], value, position in counting))
        rank = (
            -evaluation.trial.fidelity,
            scored.losses,
        )  # a higher fidelity is believed more, as `History.front` does
        if scored.violation == 0.0 and (best is None or rank < best):
            best = rank
            incumbents.append(moments[-1])
    return moments, incumbents


def volume(run: Run) -> Volume | None:
    """The hypervolume of the front with the worst values seen as its reference; None without several objectives."""
    objectives, candidates = run.history.goal.objectives, full(run.history)
    if len(objectives) < 2 or not candidates:
        return None
    front = [scored.losses for scored in run.history.front()]
    kept = spread(front, {2: 300, 3: 150}.get(len(objectives), 50))  # the exact recursion is slow beyond
    worst = [max(losses) for losses in zip(*(scored.losses for scored in candidates), strict=True)]
    ideal = [min(losses) for losses in zip(*front, strict=True)]
    box = math.prod(high - low for low, high in zip(ideal, worst, strict=True))
    value = hypervolume(kept, worst)
    reference = tuple((item.metric, metric_value(item, loss)) for item, loss in zip(objectives, worst, strict=True))
    return Volume(value, reference, value / box if box > 0 else None, len(kept) < len(front))


def failures(history: History) -> list[Evaluation]:
    """What went wrong and was paid for; excluded ones and repetitions apart."""
    return [item for item in history if item.failure and not item.rejected and item.reused is None]


def excluded(history: History) -> list[Evaluation]:
    """What a constraint kept from being evaluated."""
    return [item for item in history if item.rejected and item.reused is None]


def reasons(evaluations: Iterable[Evaluation]) -> list[Reason]:
    """Grouped by reason, the most frequent first. Reasons that differ in a number alone are one."""
    groups: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        groups.setdefault(re.sub(r"(?<!\w)-?\d[\d.,]*(e[+-]?\d+)?", "#", evaluation.failure or ""), []).append(
            evaluation
        )
    found = [Reason(group[0].failure or "", len(group), group[0]) for group in groups.values()]
    return sorted(found, key=lambda reason: -reason.count)


def decisions(run: Run, architecture: Architecture) -> Mapping[str, str]:
    """An architecture in words; its raw decisions where the space can't be made again."""
    try:
        words: dict[str, str] = run.space.describe(architecture)
    except Exception:  # a space of the user's own may be missing or be another; the report is wanted all the same
        return {name: f"{value:g}" for name, value in architecture}
    return words


def machine(run: Run) -> list[Fact]:
    """What is needed to do it again."""
    manifest = run.manifest
    limits = ", ".join(
        f"{value:,g} {name}" for name, value in (manifest.get("budget") or {}).items() if value is not None
    )
    executor = manifest.get("executor") or {}
    facts = [
        Fact("folder", str(run.folder)),
        Fact("created", str(manifest.get("created", "?"))),
        Fact("archwright", str(manifest.get("archwright", "?"))),
        Fact("seed", str(manifest.get("seed", "?"))),
        Fact("budget", limits or "unlimited"),
        Fact("executor", f"{executor.get('name', '?')}, workers {executor.get('workers', '?')}"),
    ]
    facts += [Fact(name, str(value)) for name, value in (manifest.get("machine") or {}).items() if value]
    task = manifest.get("task") or {}
    for name in ("train", "valid", "test"):
        if name in task:
            split = task[name]
            digest = f"sha256 {split['sha256'][:16]}…" if split.get("sha256") else ""
            classes = ", ".join(f"{label} {count:,}" for label, count in list(split.get("classes", {}).items())[:20])
            facts.append(
                Fact(f"{name} split", f"{split['size']:,} examples", "; ".join(filter(None, [classes, digest])))
            )
    return facts
