"""What a running search looks like in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archwright.core.history import Scored
from archwright.core.trial import Evaluation
from archwright.search import Search


def progress(search: Search, console: Console | None = None) -> Iterator[Evaluation]:
    """Iterates a search and shows the incumbent, the budget used, the time left and the failures.

    In a terminal one panel is redrawn in place; elsewhere (a file, a log) each new incumbent and each failure
    is a line.
    """
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield from _as_lines(search, console)
        return
    with Live(get_renderable=lambda: panel(search), console=console, refresh_per_second=2, transient=True):
        yield from search


def panel(search: Search) -> RenderableType:
    """The state of a search, now."""
    history = search.history
    failures = [evaluation for evaluation in history if evaluation.failure and not evaluation.rejected]
    rejected = sum(evaluation.rejected for evaluation in history)
    reused = sum(evaluation.reused is not None for evaluation in history)
    rows = Table.grid(padding=(0, 2))
    rows.add_row(
        "evaluated", f"{history.spent}  ({len(history.pending)} running, {reused} reused, {rejected} excluded)"
    )
    if failures:
        rows.add_row(
            "failures", Text(f"{len(failures)}, the last: {failures[-1].failure}", style="red", overflow="ellipsis")
        )
    best = history.best
    rows.add_row("best so far", summary(search, best) if best else "none yet")
    if len(history.goal.objectives) > 1:
        rows.add_row("Pareto front", f"{len(history.front())} architectures")
    share = used(search)
    rows.add_row(
        "time", f"{clock(search.elapsed)}{f', about {clock(left)} left' if (left := remaining(search)) else ''}"
    )
    bar = [ProgressBar(total=1.0, completed=share, width=60)] if share is not None else []
    return Panel(Group(rows, *bar), title="searching", title_align="left", expand=False)


def summary(search: Search, best: Scored) -> str:
    """The incumbent's metrics, those of the goal first."""
    wanted = [item.metric for item in search.history.goal.wanted]
    metrics = best.evaluation.metrics
    names = dict.fromkeys([*wanted, *(name for name in ("parameters",) if name in metrics)])
    return ", ".join(f"{name} {number(metrics[name])}" for name in names)


def used(search: Search) -> float | None:
    """The largest used share of any limit of the budget, in [0, 1]; None without a budget."""
    limits, history = search.budget, search.history
    shares = [
        history.spent / limits.evaluations if limits.evaluations else None,
        history.epochs / limits.epochs if limits.epochs else None,
        search.elapsed / (limits.minutes * 60) if limits.minutes else None,
    ]
    known = [min(share, 1.0) for share in shares if share is not None]
    return max(known) if known else None


def remaining(search: Search) -> float | None:
    """Seconds until the budget is spent, judged by the speed so far; None if there is nothing to judge by."""
    share = used(search)
    return search.elapsed * (1 - share) / share if share else None


def clock(seconds: float) -> str:
    """75 -> 1:15, 3700 -> 1:01:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def number(value: float) -> str:
    """A metric for people: whole numbers with separators, others with four digits."""
    return f"{value:,.0f}" if abs(value) >= 1 and float(value).is_integer() else f"{value:.4g}"


def _as_lines(search: Search, console: Console) -> Iterator[Evaluation]:
    best = None
    for evaluation in search:
        if evaluation.failure and not evaluation.rejected:
            console.print(f"[{clock(search.elapsed)}] failed: {evaluation.failure}", markup=False, highlight=False)
        if evaluation.failure is None and evaluation.reused is None:
            now = search.history.best
            if now is not None and (best is None or now.position != best.position):
                best = now
                line = f"[{clock(search.elapsed)}] {search.history.spent} evaluated, best: {summary(search, now)}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        yield evaluation
