"""A run as one HTML page: no script is needed to read it, and nothing is fetched from anywhere."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.trial import Evaluation
from archwright.reports import charts, drawing, summary
from archwright.run import Run
from archwright.runtime.files import whole
from archwright.runtime.store import read_json
from archwright.spaces.graphs import Graph

TABLE, DRAWN, REASONS = 20, 6, 12
"""Rows of the tables, architectures drawn beside the winner's, and reasons of failure listed."""


@dataclass(frozen=True)
class Chart:
    """A chart and what to know when reading it."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Portrait:
    """An architecture: its picture if it has one, and its decisions."""

    title: str
    metrics: str
    picture: Markup | None
    is_wide: bool
    decisions: list[tuple[str, str]]


@dataclass(frozen=True)
class Row:
    """A line of a table of evaluations."""

    position: int
    values: list[tuple[str, float | None]]
    fidelity: float
    cost: float
    seconds: float


def html(run: Run, path: str | Path | None = None) -> Path:
    """Writes a report of `run`: one page that holds all it needs, to be read, sent and printed.

    Args:
        path: the file; `report.html` in the run's folder if None.

    Returns:
        The file.

    Raises:
        ArchwrightError: the file can't be written.
    """
    target = run.folder / "report.html" if path is None else Path(path)
    return write(render(run), target)


def write(text: str, target: Path) -> Path:
    """Writes a page whole or not at all.

    Raises:
        ArchwrightError: the file can't be written.
    """
    try:
        with whole(target) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArchwrightError(f"can't write {target}: {error.strerror}") from error
    return target


def render(run: Run) -> str:
    """The page as text."""
    return fill("page.html.jinja", _content(run))


def fill(template: str, content: dict[str, Any]) -> str:
    """A template with its content, and when it was written."""
    environment = Environment(
        loader=PackageLoader("archwright.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"show": summary.show, "duration": summary.duration}
    written = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return environment.get_template(template).render(content, written=written)


def _content(run: Run) -> dict[str, Any]:
    history = run.history
    ranked = summary.ranking(history)
    several = len(history.goal.objectives) > 1
    front = history.front() if several else []
    names = _columns(run, ranked[:TABLE])
    return {
        "title": summary.title(run),
        "folder": run.folder.resolve().name,
        "setting": summary.setting(run),
        "cost": summary.cost(run),
        "no_winner": summary.no_winner(run),
        "winner": None if history.best is None else history.best.position,
        "winner_metrics": "" if history.best is None else summary.metrics_in_words(run, history.best.evaluation),
        "test_scores": summary.test_scores(run),
        "result": run.result,
        "progress": _progress(run),
        "plane": _plane(run, front),
        "front": [_row(run, scored, names) for scored in summary.spread(front, TABLE)],
        "front_size": len(front),
        "volume": summary.volume(run),
        "portraits": _portraits(run, ranked, front),
        "curves": _curves(run, ranked),
        "relaxation": _relaxation(run),
        "failures": _reasons(run, summary.failures(history)),
        "excluded": _reasons(run, summary.excluded(history)),
        "names": names,
        "top": [_row(run, scored, names) for scored in ranked[:TABLE]],
        "succeeded": len(ranked),
        "first_objective": summary.direction(history.goal.objectives[0]),
        "machine": summary.machine(run),
        "manifest": json.dumps(run.manifest, indent=2, ensure_ascii=False),
    }


def _progress(run: Run) -> list[Chart]:
    moments, incumbents = summary.trajectory(run)
    if not moments:
        return []
    objective = run.history.goal.objectives[0]
    best = f", at the end {summary.show(incumbents[-1].value)}" if incumbents else ""
    words = (
        f"{objective.metric}, to {summary.direction(objective).split()[0]}{best}. {_shown(len(moments), charts.DOTS)}"
    )
    return [
        Chart(charts.over_evaluations(moments, incumbents, objective.metric), f"Over evaluations: {words}"),
        Chart(charts.over_time(moments, incumbents, objective.metric), f"Over time: {words}"),
    ]


def _shown(count: int, limit: int) -> str:
    return f"{limit:,} of {count:,} evaluations are drawn." if count > limit else ""


def _plane(run: Run, front: Sequence[Scored]) -> Chart | None:
    """The first two objectives; of a single one, the objective against the parameters."""
    objectives = run.history.goal.objectives
    first = objectives[0].metric
    second = objectives[1].metric if len(objectives) > 1 else "parameters"
    candidates = summary.full(run.history)

    def place(scored: Scored) -> tuple[float, float]:
        metrics = scored.evaluation.metrics
        return metrics[first], metrics.get(second, math.nan)

    points = [place(scored) for scored in candidates if math.isfinite(place(scored)[1])]
    if not points or first == second:
        return None
    winner = place(candidates[0])
    two = (objectives[0].maximize, objectives[1].maximize) if len(objectives) == 2 else None
    svg = charts.plane(points, [place(scored) for scored in front], (first, second), two, winner)
    goal = " and ".join(summary.direction(objective) for objective in objectives[:2])
    lower = len(summary.ranking(run.history)) - len(candidates)
    left_out = f"{lower:,} of lower fidelity or outside the constraints are left out." if lower else ""
    return Chart(svg, " ".join(filter(None, [f"Wanted: {goal}.", _shown(len(points), charts.DOTS), left_out])))


def _portraits(run: Run, ranked: Sequence[Scored], front: Sequence[Scored]) -> list[Portrait]:
    """The winner first, then others of the front or, with one objective, the next best; no architecture twice."""
    best = run.history.best
    if best is None:
        return []
    others = front if len(front) > 1 else [scored for scored in ranked if scored.violation == 0.0]
    kinds: dict[Any, Scored] = {}
    for scored in [best, *others]:
        if len(front) <= 1 and len(kinds) >= 5:
            break
        kinds.setdefault(_kind(run, scored.evaluation), scored)
    chosen = [best, *summary.spread(list(kinds.values())[1:], DRAWN)]
    graphs = [_graph(run, scored.evaluation) for scored in chosen]
    colours = drawing.families([graph for graph in graphs if graph is not None])
    found = []
    for scored, graph in zip(chosen, graphs, strict=True):
        title = f"{'The winner, evaluation' if scored is best else 'Evaluation'} {scored.position}"
        picture = None if graph is None else drawing.draw(graph, colours, f"{title}: its graph")
        words = list(summary.decisions(run, scored.evaluation.trial.architecture).items())
        is_wide = graph is not None and len(drawing.parts(graph)) > 1
        found.append(Portrait(title, summary.metrics_in_words(run, scored.evaluation), picture, is_wide, words))
    return found


def _graph(run: Run, evaluation: Evaluation) -> Graph | None:
    try:
        return run.space.graph(evaluation.trial.architecture)
    except Exception:  # a space of the user's own may be missing, or fail: its decisions are shown instead
        return None


def _kind(run: Run, evaluation: Evaluation) -> Any:
    """What two evaluations share if they are of the same architecture."""
    try:
        return run.space.key(evaluation.trial.architecture)
    except Exception:  # as above
        return evaluation.trial.architecture


def _curves(run: Run, ranked: Sequence[Scored]) -> list[Chart]:
    found = []
    learned = [evaluation for evaluation in run.history if _is_curve(evaluation)]
    if learned:
        top = [(item.position, item.evaluation) for item in ranked if _is_curve(item.evaluation)][:5]
        label = _curve_name(run.history)
        caption = f"Learning curves on the validation split. {_shown(len(learned), charts.CURVES)}"
        found.append(Chart(charts.curves(learned, top, label), caption))
    trained = (run.result or {}).get("train_losses")
    if trained:
        found.append(
            Chart(charts.losses(trained), "Final training of the winner, on train and validation split together.")
        )
    return found


def _relaxation(run: Run) -> Chart | None:
    """What a gradient strategy left: how the candidates' probabilities moved."""
    path = run.folder / "checkpoints" / "relaxation.json"
    if not path.exists():
        return None
    kept = read_json(path)
    drawn = min(len(kept["choices"]), charts.PANELS)
    of = f"{drawn} of {len(kept['choices'])} choices are drawn. " if drawn < len(kept["choices"]) else ""
    words = "Probabilities of the candidates of each open choice, after each epoch, stacked."
    return Chart(charts.relaxation(kept["choices"], kept["epochs"]), f"{words} {of}")


def _is_curve(evaluation: Evaluation) -> bool:
    return evaluation.reused is None and any(map(math.isfinite, evaluation.curve))


def _curve_name(history: History) -> str:
    """The metric that curves end at, if it is the same one for all; an estimator doesn't say."""
    ended = [item.evaluation for item in history.succeeded if item.evaluation.curve]
    for name in ended[0].metrics if ended else ():
        if name.startswith("valid_") and all(one.metrics.get(name) == one.curve[-1] for one in ended):
            return name
    return "validation score"


def _reasons(run: Run, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    groups = summary.reasons(evaluations)
    rows = [
        (reason, list(summary.decisions(run, reason.example.trial.architecture).items())) for reason in groups[:REASONS]
    ]
    return {"rows": rows, "count": len(evaluations), "more": max(0, len(groups) - REASONS)}


def _columns(run: Run, rows: Sequence[Scored]) -> list[str]:
    """The metrics that a table shows: those of the goal, then the others, as many as fit."""
    names = dict.fromkeys(summary.goal_metrics(run))
    for scored in rows:
        names |= dict.fromkeys(scored.evaluation.metrics)
    return list(names)[: max(7, len(summary.goal_metrics(run)))]


def _row(run: Run, scored: Scored, names: Sequence[str]) -> Row:
    evaluation = scored.evaluation
    values = [(name, evaluation.metrics.get(name)) for name in names]
    return Row(scored.position, values, evaluation.trial.fidelity, evaluation.cost, run.times[scored.position])
