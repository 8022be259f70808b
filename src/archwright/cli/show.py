"""A run for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from archwright.core.errors import ArchwrightError
from archwright.core.trial import Evaluation
from archwright.terminal import clock, number

if TYPE_CHECKING:
    from archwright.core.history import Scored
    from archwright.run import Run

FILES = {
    "report": "report.html",
    "source": "export/model.py",
    "onnx": "export/model.onnx",
    "torch": "export/model.pt2",
    "weights": "model.safetensors",
}
"""What a finished run's folder may hold."""


def outcome(run: Run, ended: str | None = None) -> dict[str, Any]:
    """How a run stands: its winner, its test score and its files."""
    best = run.history.best
    return {
        "run": str(run.folder),
        "ended": ended,
        **counts(run),
        "winner": None if best is None else evaluation_json(run, best.position, best.evaluation),
        "result": run.result,
        "test": {name: value for name, value in (run.result or {}).items() if name.startswith("test_")} or None,
        "files": {name: str(run.folder / file) for name, file in FILES.items() if (run.folder / file).exists()},
    }


def outcome_text(run: Run, ended: str | None = None) -> Iterator[str]:
    """The same in a few lines."""
    best, result = run.history.best, run.result
    yield f"run        {run.folder}"
    if ended is not None:
        yield f"ended      {ended}"
    yield f"evaluated  {_counts_text(run)}"
    if best is not None:
        yield f"winner     evaluation {best.position}: {_metrics(best.evaluation)}"
        yield from (f"           {name} = {value}" for name, value in words(run, best.evaluation).items())
    if result is not None:
        if best is None or result["position"] != best.position:
            yield f"trained    evaluation {result['position']}"
        yield f"trained    {result['epochs']} epochs on train and valid in {clock(result['seconds'])}"
        yield f"test       {_pairs({name: value for name, value in result.items() if name.startswith('test_')})}"
    for name, file in FILES.items():
        if (run.folder / file).exists():
            yield f"{name:<10} {run.folder / file}"


def page(run: Run, top: int) -> dict[str, Any]:
    """All of `show --json`."""
    history = run.history
    return {
        **outcome(run),
        "manifest": run.manifest,
        "top": [evaluation_json(run, item.position, item.evaluation) for item in _top(run, top)],
        "front": [evaluation_json(run, item.position, item.evaluation) for item in history.front()],
        "failures_by_reason": dict(_failures(run)),
    }


def page_text(run: Run, top: int) -> Iterator[str | Table]:
    """What `show` prints."""
    manifest = run.manifest
    for name in ("space", "strategy", "estimator"):
        yield f"{name:<10} {short(manifest[name])}"
    yield f"objective  {', '.join(manifest['objectives'])}"
    yield f"seed       {manifest['seed']}"
    budget = ", ".join(f"{value:g} {name}" for name, value in manifest.get("budget", {}).items() if value is not None)
    yield f"budget     {budget or 'none'}"
    yield f"begun      {manifest['created']} by archwright {manifest['archwright']}"
    yield from outcome_text(run)
    if chosen := _top(run, top):
        yield _table(run, f"\nThe best {len(chosen)}", chosen)
    if len(run.history.goal.objectives) > 1 and run.history.front():
        yield _table(run, "\nPareto front", run.history.front())
    if failures := _failures(run):
        yield "\nFailures"
        yield from (f"{count:>5} x {reason}" for reason, count in failures.most_common())


def words(run: Run, evaluation: Evaluation) -> dict[str, str]:
    """The architecture in words; as plain decisions where the space is not at hand."""
    architecture = evaluation.trial.architecture
    try:
        return run.space.describe(architecture)
    except (ArchwrightError, AttributeError):  # the user's own space, not given again
        return {name: str(value) for name, value in architecture}


def counts(run: Run) -> dict[str, Any]:
    """How much was done."""
    failed = sum(item.failure is not None and not item.rejected for item in run.history)
    return {
        "evaluations": run.history.spent,
        "failed": failed,
        "excluded": sum(item.rejected for item in run.history),
        "reused": sum(item.reused is not None for item in run.history),
        "pending": len(run.history.pending),
        "epochs": run.history.epochs,
        "seconds": run.times[-1] if run.times else 0.0,
    }


def evaluation_json(run: Run, position: int, evaluation: Evaluation) -> dict[str, Any]:
    """One evaluation as JSON."""
    return {
        "position": position,
        "metrics": dict(evaluation.metrics),
        "fidelity": evaluation.trial.fidelity,
        "seconds": evaluation.cost,
        "architecture": evaluation.trial.architecture.as_dict(),
        "words": words(run, evaluation),
    }


def short(description: Any) -> str:
    """A part of a manifest in a line: name(field=value, ...)."""
    if isinstance(description, dict) and "name" in description:
        inside = ", ".join(f"{key}={short(value)}" for key, value in description["arguments"].items())
        return f"{description['name']}({inside})" if inside else description["name"]
    if isinstance(description, dict) and "repr" in description:
        return f"{description['repr']} (your own)"
    if isinstance(description, list):
        return f"[{', '.join(map(short, description))}]"
    return str(description)


def _top(run: Run, top: int) -> list[Scored]:
    """The best feasible ones, highest fidelity first: what a lower one says is not comparable."""
    from archwright.reports.summary import ranking

    return [item for item in ranking(run.history) if item.violation == 0.0][:top]


def _failures(run: Run) -> Counter[str]:
    return Counter(item.failure for item in run.history if item.failure and not item.rejected)


def _table(run: Run, title: str, chosen: Sequence[Scored]) -> Table:
    goal = run.history.goal
    wanted = dict.fromkeys([*(item.metric for item in goal.objectives), *(item.metric for item in goal.constraints)])
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    fidelities = [item.evaluation.trial.fidelity for item in chosen]
    differ = len(set(fidelities)) > 1
    for name in ("evaluation", *(["fidelity"] if differ else []), *wanted, "seconds"):
        table.add_column(name, justify="right")
    table.add_column("architecture", overflow="fold")
    for item, fidelity in zip(chosen, fidelities, strict=True):
        metrics = [number(item.evaluation.metrics[name]) for name in wanted]
        described = " ".join(words(run, item.evaluation).values())
        told = [f"{fidelity:.3g}"] if differ else []
        table.add_row(str(item.position), *told, *metrics, number(item.evaluation.cost), described)
    return table


def _metrics(evaluation: Evaluation) -> str:
    return _pairs(dict(evaluation.metrics))


def _pairs(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def _counts_text(run: Run) -> str:
    known = counts(run)
    rest = [f"{known[name]} {name}" for name in ("failed", "excluded", "reused", "pending") if known[name]]
    return ", ".join([f"{known['evaluations']} in {clock(known['seconds'])}", *rest])
