"""`archwright compare`: strategies x seeds on one benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from archwright import registry
from archwright.cli.config import Origin
from archwright.cli.fields import fields_of
from archwright.cli.listed import Within, listed
from archwright.cli.outcome import Interrupted, Mistakes, Output
from archwright.cli.parts import is_own, is_table, made
from archwright.core.errors import ArchwrightError
from archwright.core.parts import kebab

if TYPE_CHECKING:
    from archwright.benchmarks import Benchmark
    from archwright.compare.comparison import Comparison

BUDGETS = ("evaluations", "seconds", "minutes", "budget")


@dataclass(frozen=True)
class Asked:
    """What the options of `compare` say."""

    benchmark: str
    fields: Mapping[str, Any]
    strategies: Sequence[str]
    also: Sequence[str]
    objectives: Sequence[str]
    seeds: int
    evaluations: int | None
    seconds: float | None
    workers: int
    jobs: int | None
    out: Path | None


def compare(asked: Asked, output: Output) -> Comparison:
    """Makes the comparison, or goes on with it, and writes its page."""
    from archwright.compare.comparing import Plan
    from archwright.compare.ledger import same_folder
    from archwright.compare.terms import Terms
    from archwright.reports import comparison_html

    benchmark: Benchmark = made("benchmark", {"name": asked.benchmark, **asked.fields}, Origin({}))
    strategies = strategies_of(asked.strategies)
    terms = Terms.of(
        benchmark,
        objectives=list(asked.objectives) or None,
        evaluations=asked.evaluations,
        seconds=asked.seconds,
        workers=asked.workers,
        also=_also(asked, benchmark),
    )
    plan = Plan.of(strategies, terms, asked.seeds)
    folder = asked.out or same_folder(Path("runs"), f"compare-{kebab(benchmark.name)}", plan.manifest)
    with _interruptible(folder), _progress(output, folder) as shown:
        comparison = plan.run(folder, asked.jobs, shown)
    comparison_html(comparison)
    return comparison


def strategies_of(texts: Sequence[str]) -> dict[str, Any]:
    """The strategies that the texts name, by their labels.

    Raises:
        Mistakes: a line for each that is misspelt.
    """
    found: dict[str, Any] = {}
    mistakes: list[str] = []
    for label, (given, within) in listed(texts, "--strategies").items():
        try:
            _check_budget(given, within)
            found[label] = made("strategy", given, within)
        except ArchwrightError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise Mistakes(mistakes)
    return found


def _check_budget(given: Mapping[str, Any], within: Within) -> None:
    takes = {} if is_own(given["name"]) else fields_of(registry.find("strategies", given["name"]))
    for name in BUDGETS:
        if name in given and name not in takes and not is_own(given["name"]):
            raise ArchwrightError(
                f"{within('strategy')}: a budget of its own would be unfair: all strategies have that of --evaluations "
                "and --seconds"
            )


def _also(asked: Asked, benchmark: Benchmark) -> dict[str, Any]:
    """Variants of the benchmark by their data sets, or other benchmarks on the same space."""
    from archwright.compare.terms import title

    judges: dict[str, Any] = {}
    for label, (given, within) in listed(asked.also, "--also").items():
        name = given["name"]
        known = kebab(name) in registry.parts("benchmarks") or is_own(name) or is_table(name)
        has_variants = "dataset" in getattr(benchmark, "made_by", {"arguments": {}})["arguments"]
        if not known and has_variants:
            variant = {"name": asked.benchmark, **asked.fields, **given, "dataset": name}
            judges[label] = made("benchmark", {**variant, "name": asked.benchmark}, within)
        else:
            judge = made("benchmark", given, within)
            judges[title(judge) if label == name else label] = judge
    return judges


@contextmanager
def _interruptible(folder: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(folder, f"the same command (the folder is {folder})") from None


@contextmanager
def _progress(output: Output, folder: Path) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("searching"), BarColumn(60), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not output.progress.is_terminal
    with Progress(*columns, console=output.progress, transient=True, disable=hidden) as bar:
        task = bar.add_task("searching", total=None)
        begun = False

        def show(done: int, total: int) -> None:
            nonlocal begun
            if not begun:
                kept = f", {done:,} done already" if done else ""
                output.note(f"{total:,} search{'es' if total > 1 else ''}{kept}; kept in {folder}")
                begun = True
            bar.update(task, completed=done, total=total)

        yield show


def page(comparison: Comparison) -> dict[str, Any]:
    """The result as JSON."""
    return {**comparison.as_json(), "files": _files(comparison)}


def page_text(comparison: Comparison) -> Iterator[str | Table]:
    """The result for people."""
    from archwright.compare import display
    from archwright.compare.verdict import verdict

    yield display.setting(comparison)
    yield table(comparison)
    yield ""
    yield from verdict(comparison)
    yield ""
    yield from (f"{name:<10} {path}" for name, path in _files(comparison).items())


def table(comparison: Comparison) -> Table:
    """A line a strategy, the best average rank first, and the table's optimum below."""
    from archwright.compare import display

    judges, metric = comparison.terms["judges"], display.objective(comparison)
    many = len(judges) > 1
    shown = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    right: dict[str, Any] = {"justify": "right", "no_wrap": True, "vertical": "bottom"}
    shown.add_column("strategy", "optimum of the table", no_wrap=True)
    for name, judge in judges.items():
        title = display.short_heading(judge["score"])
        shown.add_column(f"{name}\n{title}" if many else title, display.optimum(comparison, name), **right)
    columns = (display.short_heading(metric), "average\nrank", "evaluations", "overhead\na search", "a\nproposal")
    best = display.figure(comparison.terms["optimum"], metric)
    for title, footer in zip(columns, (best, "", "", "", ""), strict=True):
        shown.add_column(title, footer, **right)
    for line in comparison.lines:
        shown.add_row(
            line.strategy,
            *(display.spread(line.scores[name], judge["score"]) for name, judge in judges.items()),
            display.spread(line.value, metric),
            display.rank(line.rank),
            f"{line.evaluations:.4g}",
            display.seconds(line.cpu_seconds),
            display.seconds(line.proposal_seconds),
        )
    return shown


def _files(comparison: Comparison) -> dict[str, str]:
    from archwright.compare.comparison import CURVES, RESULT, SEARCHES, TABLE

    assert comparison.folder is not None  # the command line always has one
    names = {"page": "comparison.html", "table": TABLE, "curves": CURVES, "searches": SEARCHES, "all": RESULT}
    return {name: str(comparison.folder / file) for name, file in names.items()}
