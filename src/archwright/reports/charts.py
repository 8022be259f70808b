"""Charts as SVG that takes its colours from the page, so that it is legible in light, dark and print alike."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal
from zlib import crc32

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter

from archwright.core.trial import Evaluation
from archwright.reports.summary import Moment, spread

DOTS, CURVES, STEPS = 800, 150, 80
"""At most so many dots and faint curves a chart, and points a curve: more can't be told apart, and pages stay small."""

PANELS = 32
"""At most so many choices of a relaxation are drawn: the two cells of DARTS have 28."""

ENTRY = 60
"""Letters in a line of a legend: as many as go into the narrowest chart."""

INK, FAINT, _LINE = "#000001", "#000002", "#000003"
SERIES = [f"#00001{number}" for number in range(1, 7)]
_ON_PAGE = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    _LINE: "var(--line)",
    **{colour: f"var(--c{number})" for number, colour in enumerate(SERIES, start=1)},
}
"""matplotlib needs colours that are numbers; these stand for the page's own until the SVG is written."""

STROKES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), "-"]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a metric of the user's may have a $ in its name
    "axes.formatter.useoffset": False,
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def over_evaluations(moments: Sequence[Moment], incumbents: Sequence[Moment], metric: str) -> Markup:
    """The incumbent and every answer, over the evaluations that cost something."""
    return _progress(moments, incumbents, metric, "evaluations", lambda moment: float(moment.spent))


def over_time(moments: Sequence[Moment], incumbents: Sequence[Moment], metric: str) -> Markup:
    """The same over the seconds, minutes or hours of the search."""
    last = max(moment.seconds for moment in moments)
    unit, size = next(
        ((unit, size) for unit, size in (("hours", 3600), ("minutes", 60)) if last >= 2 * size), ("seconds", 1)
    )
    return _progress(moments, incumbents, metric, unit, lambda moment: moment.seconds / size)


def _progress(
    moments: Sequence[Moment],
    incumbents: Sequence[Moment],
    metric: str,
    unit: str,
    place: Callable[[Moment], float],
) -> Markup:
    def paint(axes: Axes) -> None:
        dots = spread(moments, DOTS)
        counting = [moment for moment in dots if moment.counts]
        apart = [moment for moment in dots if not moment.counts]
        _dots(axes, map(place, counting), (moment.value for moment in counting), FAINT, "evaluations")
        if apart:
            _crosses(axes, map(place, apart), (moment.value for moment in apart))
        if incumbents:
            x = [*map(place, incumbents), place(moments[-1])]
            y = [*(moment.value for moment in incumbents), incumbents[-1].value]
            axes.step(x, y, where="post", color=SERIES[0], linewidth=1.8, label="incumbent")
            axes.plot(x[:-1], y[:-1], "o", color=SERIES[0], markersize=3.5, markeredgewidth=0)
        scale(axes, "y", [moment.value for moment in moments], keep=[moment.value for moment in incumbents])
        axes.set(xlabel=unit, ylabel=metric)
        if unit == "evaluations":
            axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
        legend(axes)

    best = f"; the incumbent at the end has {incumbents[-1].value:.6g}" if incumbents else ""
    return chart(paint, f"{metric} of {len(moments):,} evaluations over {unit}{best}")


def plane(
    points: Sequence[tuple[float, float]],
    front: Sequence[tuple[float, float]],
    names: tuple[str, str],
    maximized: tuple[bool, bool] | None,
    winner: tuple[float, float] | None,
) -> Markup:
    """Evaluations by two metrics, given as (y, x) like their `names`, and the front among them.

    Args:
        maximized: the directions of both, to draw the line that bounds what the front dominates; None for no line.
    """

    def paint(axes: Axes) -> None:
        dots = spread(points, DOTS)
        _dots(axes, (x for _, x in dots), (y for y, _ in dots), FAINT, "evaluations")
        corners = sorted(front)
        if maximized is not None and len(corners) > 1:
            # Between two neighbours the line runs through what both dominate: the worse of each metric.
            worse = [min if larger else max for larger in maximized]
            line = [corners[0]]
            for left, right in pairwise(corners):
                line += [(worse[0](left[0], right[0]), worse[1](left[1], right[1])), right]
            axes.plot([x for _, x in line], [y for y, _ in line], color=SERIES[0], linewidth=1.4)
        if front:
            x, y = [x for _, x in front], [y for y, _ in front]
            axes.plot(x, y, "o", color=SERIES[0], markersize=4.5, markeredgewidth=0, label="Pareto front")
        if winner is not None:
            axes.plot([winner[1]], [winner[0]], "D", color=SERIES[1], markersize=6, markeredgewidth=0, label="winner")
        scale(axes, "y", [y for y, _ in [*points, *front]])
        scale(axes, "x", [x for _, x in [*points, *front]])
        axes.set(xlabel=names[1], ylabel=names[0])
        legend(axes)

    return chart(paint, f"{names[0]} against {names[1]}: {len(points):,} evaluations, {len(front)} highlighted")


def curves(evaluations: Sequence[Evaluation], top: Sequence[tuple[int, Evaluation]], label: str) -> Markup:
    """Learning curves: all faint, those of `top` (position, evaluation) in colour."""

    def paint(axes: Axes) -> None:
        faint = spread(evaluations, CURVES)
        for evaluation in faint:
            x, y = _curve(evaluation.curve)
            axes.plot(x, y, marker=_marker(x), color=FAINT, linewidth=0.7, markersize=2.5, alpha=0.35)
        for number, (position, evaluation) in enumerate(top[: len(SERIES)]):
            x, y = _curve(evaluation.curve)
            style = {"linestyle": STROKES[number], "label": f"evaluation {position}"}
            axes.plot(x, y, marker=_marker(x), color=SERIES[number], linewidth=1.7, markersize=4, **style)  # type: ignore[arg-type]
        best = [value for _, evaluation in top for value in evaluation.curve]
        scale(axes, "y", [*best, *(value for evaluation in faint for value in evaluation.curve)], keep=best)
        axes.set(xlabel="units of resource (for Training: epochs)", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
        legend(axes)

    return chart(paint, f"Learning curves of {len(evaluations):,} evaluations, the best {len(top)} highlighted")


def losses(values: Sequence[float]) -> Markup:
    """The training loss of the final training."""

    def paint(axes: Axes) -> None:
        x, y = _curve(values)
        axes.plot(x, y, marker=_marker(x), color=SERIES[0], linewidth=1.7, markersize=4)
        scale(axes, "y", values)
        axes.set(xlabel="epoch", ylabel="training loss")
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))

    last = f", {values[-1]:.4g} after the last" if values else ""
    return chart(paint, f"Training loss over {len(values)} epochs{last}")


def relaxation(choices: Mapping[str, Sequence[str]], epochs: Sequence[Mapping[str, Sequence[float]]]) -> Markup:
    """How the probabilities of candidates moved: a panel a choice, the shares stacked, over the epochs.

    Args:
        choices: the candidates' labels by the choice's name; at most `PANELS` are drawn.
        epochs: the candidates' probabilities by name, after each epoch.
    """
    drawn = list(choices)[:PANELS]
    labels = list(dict.fromkeys(label for name in drawn for label in choices[name]))
    columns = min(4, len(drawn))
    rows = -(-len(drawn) // columns)

    def paint(figure: Figure) -> None:
        handles: dict[str, Artist] = {}
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        places = spread(range(len(epochs)), STEPS)
        for panel in panels.flat[len(drawn) :]:
            panel.set_visible(False)
        for panel, name in zip(panels.flat, drawn, strict=False):
            shares = np.array([epochs[place][name] for place in places]).T
            for number, label in enumerate(choices[name]):
                below = shares[:number].sum(axis=0)
                colour, alpha = _area(labels.index(label))
                x, upper = [place + 1 for place in places], below + shares[number]
                area = panel.fill_between(x, below, upper, color=colour, alpha=alpha, linewidth=0.4)
                handles.setdefault(label, area)
            panel.set_title(name, fontsize=8, loc="left")
            panel.set(ylim=(0, 1), xlim=(1, max(len(epochs), 2)))
            panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
        figure.legend(handles.values(), handles, loc="outside upper left", ncols=4)
        figure.supxlabel("epoch", fontsize=9)

    last = f"{len(choices)} choices over {len(epochs)} epochs"
    return picture(paint, f"Probabilities of the candidates of {last}", (8.6, 1.1 + 1.35 * rows))


def _area(number: int) -> tuple[str, float]:
    """The colour of a candidate's area: the page's series, then the same ones paler."""
    return SERIES[number % len(SERIES)], (0.9, 0.5, 0.25)[min(number // len(SERIES), 2)]


def chart(paint: Callable[[Axes], None], alt: str, size: tuple[float, float] = (5.4, 3.4)) -> Markup:
    """What `paint` puts into axes, as an SVG element that belongs into a page; no two of a page have the same `alt`."""
    return picture(lambda figure: paint(figure.add_subplot()), alt, size)


def picture(paint: Callable[[Figure], None], alt: str, size: tuple[float, float]) -> Markup:
    """The same for what needs several axes."""
    written = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own configuration says
        matplotlib.rcParams.update(_STYLE | {"svg.hashsalt": alt})
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _for_page(written.getvalue(), alt)


def _for_page(svg: str, alt: str) -> Markup:
    """Without what only a file of its own needs; with the page's fonts and colours."""
    body = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="([^"]*)"', body)
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r' id="(?![mp][0-9a-f]{8,}")[^"]*"', "", body)  # figure_1, axes_1, ...: nobody refers to them
    prefix = f"f{crc32(alt.encode()):08x}"  # two charts of a page must not share the names of their markers
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", body).replace("xlink:href", "href")
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", body)
    for stand_in, colour in _ON_PAGE.items():
        body = body.replace(stand_in, colour)
    head = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="{}">').format(alt, box[1] if box else "")
    return head + Markup(re.sub(r"\n\s*", "\n", body).strip())


def _dots(axes: Axes, x: Iterable[float], y: Iterable[float], colour: str, label: str) -> None:
    axes.plot(list(x), list(y), "o", color=colour, markersize=3.4, markeredgewidth=0, alpha=0.6, label=label)


def _crosses(axes: Axes, x: Iterable[float], y: Iterable[float]) -> None:
    label = "lower fidelity, or breaks a constraint"
    axes.plot(list(x), list(y), "x", color=FAINT, markersize=3.4, markeredgewidth=0.8, alpha=0.7, label=label)


def _curve(values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Epochs and values, thinned; what is not finite leaves a gap."""
    places = spread(range(len(values)), STEPS)
    return [place + 1 for place in places], [values[p] if math.isfinite(values[p]) else math.nan for p in places]


def _marker(x: Sequence[int]) -> str:
    return "o" if len(x) == 1 else ""


def scale(axes: Axes, which: Literal["x", "y"], values: Sequence[float], keep: Sequence[float] | None = None) -> None:
    """Logarithmic where the values call for it, with short numbers.

    Args:
        keep: values that have to be seen; far outliers among the others are left outside. None: all are seen.
    """
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = float(finite.min()), float(finite.max())
    if low > 0 and high / low >= 100:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(EngFormatter(sep=""))
        return
    if max(abs(low), abs(high)) >= 1e4:
        axis.set_major_formatter(EngFormatter(sep=""))
    if keep is None or len(finite) < 20:
        return
    near, far = np.quantile(finite, [0.05, 0.95])
    room, seen = 3 * (far - near), [value for value in keep if math.isfinite(value)]
    if low < near - room or high > far + room:
        low, high = min([max(low, near - room / 3), *seen]), max([min(high, far + room / 3), *seen])
        if high > low:
            margin = 0.04 * (high - low)
            (axes.set_xlim if which == "x" else axes.set_ylim)(low - margin, high + margin)


def legend(axes: Axes, entries: Mapping[str, Artist] | None = None) -> None:
    """Above the axes, if there is more than one thing to tell apart.

    Args:
        entries: what is told apart, by labels of the user's own, of which matplotlib would leave out those that begin
            with an underscore; None for all that was drawn with a label.
    """
    found = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)) if entries is None else entries
    if len(found) > 1:
        figure = axes.get_figure(root=True)
        assert figure is not None  # it was painted on
        texts = [wrapped(label, ENTRY) for label in found]
        columns = beside(list(found), figure.get_figwidth())
        figure.legend(found.values(), texts, loc="outside upper left", ncols=columns)


def beside(labels: Sequence[str], width: float) -> int:
    """How many entries of a legend stand side by side in a chart of a width in inches: at most 3."""
    sizes = [0.55 + inches(wrapped(label, ENTRY), 8) for label in labels]  # with its stroke, and the gap to the next

    def needed(columns: int) -> float:
        return sum(float(column.max()) for column in np.array_split(sizes, columns) if len(column))

    return next((columns for columns in (3, 2) if needed(columns) <= width), 1)


def wrapped(text: str, width: int) -> str:
    """In at most three lines of so many letters; what is left over is cut, and an ellipsis says so."""
    lines = textwrap.wrap(text, width, break_long_words=True)
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2][: width - 1]}…"])


def inches(text: str, size: float = 9) -> float:
    """How wide a text is drawn, its widest line, in letters of a size in points."""
    font = FontProperties(size=size)
    lines = (text_to_path.get_text_width_height_descent(line, font, ismath=False) for line in text.splitlines())
    return max((width for width, _, _ in lines), default=0.0) / 72
