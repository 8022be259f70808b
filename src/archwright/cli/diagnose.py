"""`archwright diagnose`: how far cheap estimates rank as a dear one does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import archwright as aw
from archwright.cli.checks import check_device, check_open, check_pair
from archwright.cli.config import Origin, read
from archwright.cli.job import Limits
from archwright.cli.listed import listed
from archwright.cli.outcome import Interrupted, Mistakes, Output
from archwright.cli.parts import made
from archwright.core.errors import ArchwrightError
from archwright.core.objective import parse
from archwright.core.parts import kebab

if TYPE_CHECKING:
    from archwright.cli.config import Settings
    from archwright.diagnosis.diagnosing import Plan
    from archwright.diagnosis.result import Diagnosis

JUDGED_BY = "judged_by"
"""Beside an estimator's own fields: the objectives that it is ranked by."""


@dataclass(frozen=True)
class Asked:
    """What the options of `diagnose` say.

    Attributes:
        settings: what a search is told too, the reference being its estimator.
        benchmark: whose table is the reference, in place of task, space and estimator; {} for none.
    """

    settings: Mapping[str, Any]
    benchmark: Mapping[str, Any]
    estimators: Sequence[str]
    metrics: Sequence[str]
    fidelities: Sequence[str]
    objective: str | None
    architectures: int
    near_top: int
    again: bool


class _Origin(Origin):
    """Says `--reference` where a search says `--estimator`."""

    def __call__(self, path: str) -> str:
        return super().__call__(re.sub(r"^estimator\b", "reference", path))


@dataclass(frozen=True)
class _Parts:
    """Space, reference and what estimators are told."""

    name: str
    space: Any
    reference: Any
    objective: str
    task: Any
    ours: Mapping[str, Any]


def diagnose(asked: Asked, output: Output) -> Diagnosis:
    """Makes the diagnosis, or goes on with it, and writes its page. Every mistake is told before anything is asked."""
    from archwright.diagnosis.diagnosing import Plan
    from archwright.reports import diagnosis_html

    settings, origin = read(asked.settings)
    limits = Limits.of(settings)
    check_device(limits.device)
    parts = _of_benchmark(asked, settings, origin) if asked.benchmark else _of_task(settings, _Origin(origin.options))
    plan = Plan.of(
        parts.space,
        {**{parse(text).metric: text for text in _items(asked.metrics)}, **_estimators(asked.estimators, parts)},
        parts.reference,
        architectures=asked.architectures,
        near_top=asked.near_top,
        objective=asked.objective or parts.objective,
        fidelities=_numbers(asked.fidelities),
        again=asked.again,
        seed=settings.seed,
    )
    folder = settings.out or plan.same_folder(Path("runs"), f"diagnose-{kebab(parts.name)}")
    executor = aw.Inline() if asked.benchmark and not asked.estimators else limits.processes()
    diagnosis = _made(plan, folder, executor, output)
    diagnosis_html(diagnosis)
    return diagnosis


def _of_benchmark(asked: Asked, settings: Settings, origin: Origin) -> _Parts:
    given = [name for name in ("space", "estimator") if asked.settings.get(name)]
    if given:
        option = "reference" if given[0] == "estimator" else given[0]
        raise ArchwrightError(f"--{option}: a benchmark brings its own space and reference; leave one of the two out")
    benchmark = made("benchmark", asked.benchmark, Origin({}))
    task = made("task", settings.task, origin) if asked.settings.get("task") else None
    return _Parts(
        benchmark.name, benchmark.space, benchmark.estimator, benchmark.objective, task, _ours(settings, task)
    )


def _of_task(settings: Settings, origin: Origin) -> _Parts:
    task = made("task", settings.task, origin)
    space = made("space", settings.space, origin)
    task.splits  # noqa: B018 (loads the data now, not in the first trial)
    check_pair(space, task)
    ours = _ours(settings, task)
    reference = made("estimator", settings.estimator, origin, ours)
    check_open(space, reference, task)
    return _Parts(task.name, space, reference, f"valid_{task.score}", task, ours)


def _ours(settings: Settings, task: Any) -> dict[str, Any]:
    device = {} if settings.device == "auto" else {"device": settings.device}
    return {"task": task, "checkpoints": None, **device} if task is not None else device


def _estimators(texts: Sequence[str], parts: _Parts) -> dict[str, Any]:
    """The candidates that the texts name, by their labels.

    Raises:
        Mistakes: a line for each that is misspelt.
    """
    from archwright.diagnosis.diagnosing import Candidate

    found: dict[str, Any] = {}
    mistakes: list[str] = []
    for label, (given, within) in listed(texts, "--estimators").items():
        fields = {name.replace("-", "_"): value for name, value in given.items()}
        goals = fields.pop(JUDGED_BY, "")
        try:
            estimator = made("estimator", fields, within, parts.ours)
            if parts.task is not None:
                check_open(parts.space, estimator, parts.task)
        except ArchwrightError as error:
            mistakes += map(_without_task if parts.task is None else str, str(error).splitlines())
            continue
        judged_by = _items([goals]) if isinstance(goals, str) else map(str, goals)  # a list in a file
        found[label] = Candidate(estimator, tuple(filter(None, judged_by)))
    if mistakes:
        raise Mistakes(mistakes)
    return found


def _without_task(mistake: str) -> str:
    """Says how to give the task that an estimator lacks: it is no field that can be set."""
    return re.sub(
        r"needs --\S*\btask$", "needs a task; give one beside --benchmark: archwright diagnose digits ...", mistake
    )


def _items(texts: Sequence[str]) -> list[str]:
    """Several values in one option, separated by commas."""
    return [item.strip() for text in texts for item in text.split(",")]


def _numbers(texts: Sequence[str]) -> list[float]:
    found = []
    for text in _items(texts):
        try:
            found.append(float(Fraction(text)))
        except (ValueError, ZeroDivisionError):
            raise ArchwrightError(
                f"--fidelities: found {text!r}, wanted numbers between 0 and 1, such as 0.25 or 1/3"
            ) from None
    return found


def _made(plan: Plan, folder: Path, executor: Any, output: Output) -> Diagnosis:
    output.note(f"{len(plan.columns) - 1} estimates against {plan.columns[0].label}; kept in {folder}")
    try:
        with _progress(output) as shown:
            return plan.run(folder, executor, shown)
    except KeyboardInterrupt:
        raise Interrupted(folder, f"the same command (the folder is {folder})") from None


@contextmanager
def _progress(output: Output) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each run, the runs one after the other."""
    columns = (TextColumn("{task.description}"), BarColumn(60), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not output.progress.is_terminal
    with Progress(*columns, console=output.progress, disable=hidden) as bars:
        known: dict[str, Any] = {}

        def show(label: str, done: int, total: int) -> None:
            if label not in known:
                known[label] = bars.add_task(label, total=total)
                kept = f", {done} answered already" if done else ""
                output.note(f"{label}: {total} trials{kept}")
            bars.update(known[label], completed=done)

        yield show


def page(diagnosis: Diagnosis) -> dict[str, Any]:
    """The result as JSON."""
    return {**diagnosis.as_json(), "files": _files(diagnosis)}


def page_text(diagnosis: Diagnosis) -> Iterator[str | Table]:
    """The result for people."""
    from archwright.diagnosis.verdict import setting, verdict, warnings

    yield setting(diagnosis)
    yield table(diagnosis)
    yield ""
    yield from verdict(diagnosis)
    found = warnings(diagnosis)
    if found:
        yield ""
        yield from (f"! {sentence}" for sentence in found)
    yield ""
    yield from (f"{name:<10} {path}" for name, path in _files(diagnosis).items())


def table(diagnosis: Diagnosis) -> Table:
    """A line an estimate: Kendall's tau in each region, recall, regret, cost."""
    from archwright.compare import display
    from archwright.diagnosis.result import ALL
    from archwright.diagnosis.verdict import cost, with_interval

    metric = diagnosis.reference.by.metric
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("estimate", no_wrap=True)
    headings = [f"τ\n{region}" for region in diagnosis.regions]
    for title in (*headings, "top-10%\nrecall", f"regret of\n{display.short_heading(metric)}", "cost", "an\nanswer"):
        shown.add_column(title, justify="right", no_wrap=True, vertical="bottom")
    for line in diagnosis.lines:
        whole = line.agreement[ALL]
        shown.add_row(
            line.label,
            *(with_interval(line.agreement[region].tau) for region in diagnosis.regions),
            with_interval(whole.recall),
            display.figure(whole.regret.value, metric),
            cost(line.cost).removesuffix(" of the cost").removesuffix(" cost") or "–",
            "–" if math.isnan(line.seconds) else display.seconds(line.seconds),
        )
    return shown


def _files(diagnosis: Diagnosis) -> dict[str, str]:
    from archwright.diagnosis.result import RESULT, SCORES, TABLE

    names = {"page": "diagnosis.html", "table": TABLE, "scores": SCORES, "all": RESULT}
    return {name: str(diagnosis.folder / file) for name, file in names.items()}
