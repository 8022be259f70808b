"""The charts of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from archwright.compare.comparison import Curves
from archwright.compare.statistics import Ranking, Vector
from archwright.reports.charts import ENTRY, FAINT, INK, SERIES, STROKES, beside, chart, inches, legend, scale, wrapped

DOTS = 300
"""Of a strategy in a strip: more can't be told apart."""

LABEL = 24
"""Letters in a line of a strategy's label beside an axis."""

AXIS = 2.2
"""Inches from the best rank to the worst."""


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn, the same all over a page."""

    colour: str
    stroke: Any

    @classmethod
    def of_all(cls, strategies: Sequence[str], baseline: str) -> dict[str, Look]:
        """Six colours, then the same with other strokes; the baseline in ink."""
        others = [name for name in strategies if name != baseline]
        looks = {name: cls(SERIES[place % 6], STROKES[place // 6 % 5]) for place, name in enumerate(others)}
        return {baseline: cls(INK, (0, (2, 2))), **looks}


def regret(curves: Curves, looks: Mapping[str, Look], factor: float, label: str, alt: str) -> Markup:
    """Mean regret and its band over an axis; the vertical scale is logarithmic unless something has none left."""

    shade = 0.16 if len(curves.bands) <= 6 else 0.07  # many bands lie on one another

    def paint(axes: Axes) -> None:
        entries: dict[str, Artist] = {}
        for name, look in looks.items():
            if name not in curves.bands:
                continue
            found, places = curves.bands[name], curves.places[name]
            axes.fill_between(
                places, factor * found.low, factor * found.high, color=look.colour, alpha=shade, linewidth=0
            )
            (entries[name],) = axes.plot(
                places, factor * found.mean, color=look.colour, linestyle=look.stroke, linewidth=1.7
            )
        lowest = factor * min(float(np.nanmin(found.low)) for found in curves.bands.values())
        begins, ends = zip(*((_known(it.mean)[0], _known(it.high)[-1]) for it in curves.bands.values()), strict=True)
        highest = factor * max(float(np.median(begins)), *map(float, ends))  # an odd one that begins far above is cut
        if lowest > 0:
            axes.set_yscale("log")
            axes.set_ylim(lowest / 1.15, highest * 1.15)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(0, highest * 1.05 or 1.0)
        evaluations = curves.axis == "evaluations"
        axes.set(xlabel="evaluations" if evaluations else "simulated seconds", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=evaluations))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
        axes.margins(x=0.01)
        legend(axes, entries)

    labels = [name for name in looks if name in curves.bands]
    lines = max(len(wrapped(name, ENTRY).splitlines()) for name in labels)
    rows = lines * -(-len(labels) // beside(labels, 5.4))
    return chart(paint, alt, (5.4, 3.4 + 0.2 * max(0, rows - 2)))


def _known(values: Vector) -> Vector:
    return values[np.isfinite(values)]


def ranks(ranking: Ranking, alt: str) -> Markup:
    """A critical-difference diagram (Demšar, 2006, figure 1): who is joined can't be told apart.

    The axis of ranks is `AXIS` inches long, and the labels have beside it what the longest of them takes.
    """
    names, groups = list(ranking.ranks), ranking.groups()
    labels = {name: wrapped(name, LABEL) for name in names}
    rows = (len(names) + 1) // 2
    lines = max(len(label.splitlines()) for label in labels.values())
    step = 0.5 + 0.42 * (lines - 1)
    first_label = 0.6 + 0.32 * max(len(groups), 1) + 0.21 * (lines - 1)
    worst, room = len(names), 0.45 * (len(names) - 1)
    beside_axis = 0.34 * 0.45 * AXIS + max(1.2, 0.1 + max(inches(f"{label}  9.99") for label in labels.values()))

    def paint(axes: Axes) -> None:
        axes.set_axis_off()
        rank: float
        axes.plot([1, worst], [0, 0], color=INK, linewidth=1.2)
        for rank in range(1, worst + 1, 1 + worst // 9):
            axes.plot([rank, rank], [0, -0.14], color=INK, linewidth=1)
            axes.text(rank, -0.25, str(rank), ha="center", va="bottom", color=FAINT)
        for place, name in enumerate(names):
            is_left = place < rows
            row = place if is_left else len(names) - 1 - place
            rank, height = ranking.ranks[name], first_label + step * row
            edge = 1 - 0.3 * room if is_left else worst + 0.3 * room
            axes.plot([rank, rank, edge], [0, height, height], color=FAINT, linewidth=0.9)
            axes.plot([rank], [0], "o", color=SERIES[0], markersize=4.5, markeredgewidth=0)
            gap = -0.04 * room if is_left else 0.04 * room
            texts = _beside_rank(labels[name], f"{rank:.2f}", is_left)
            axes.text(edge + gap, height, texts, ha="right" if is_left else "left", va="center")
        for number, group in enumerate(groups):
            low, high = ranking.ranks[group[0]], ranking.ranks[group[-1]]
            axes.plot([low - 0.03 * room, high + 0.03 * room], [0.3 + 0.32 * number] * 2, color=SERIES[1], linewidth=4)
        width = min(ranking.critical_difference, worst - 1)
        axes.plot([1, 1 + width], [-1.05, -1.05], color=FAINT, linewidth=1.2, marker="|", markersize=7)
        axes.text(
            1, -1.25, f"Nemenyi's critical difference {ranking.critical_difference:.2f}", va="bottom", color=FAINT
        )
        margin = beside_axis * (worst - 1) / AXIS
        axes.set_xlim(1 - margin, worst + margin)
        axes.set_ylim(first_label + step * rows, -1.9)

    return chart(paint, alt, (AXIS + 2 * beside_axis, 0.9 + 0.34 * step * rows + 0.3 * first_label))


def _beside_rank(label: str, rank: str, is_left: bool) -> str:
    """A strategy's label, in several lines if need be, and its rank on the side of the axis."""
    first, *rest = label.splitlines()
    return "\n".join([f"{first}  {rank}" if is_left else f"{rank}  {first}", *rest])


def strips(
    finals: Mapping[str, Vector], looks: Mapping[str, Look], optimum: float, factor: float, label: str, alt: str
) -> Markup:
    """Each search's final score, the quartiles and the mean of each strategy, and the table's optimum."""
    names = list(finals)

    def paint(axes: Axes) -> None:
        rng = np.random.default_rng(0)  # the same page each time
        seen = [optimum * factor]
        for row, name in enumerate(names):
            values = factor * finals[name][~np.isnan(finals[name])]
            if not len(values):
                continue
            colour = looks[name].colour
            shown = values[:DOTS]
            heights = row + rng.uniform(-0.26, 0.26, len(shown))
            axes.plot(shown, heights, "o", color=colour, markersize=2.8, markeredgewidth=0, alpha=0.35)
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            seen += [float(low), float(high)]
            axes.barh(row, high - low, 0.62, left=low, color="none", edgecolor=colour, linewidth=1.3)
            axes.plot([middle, middle], [row - 0.31, row + 0.31], color=colour, linewidth=2.2)
            axes.plot([values.mean()], [row], "D", color=INK, markersize=4, markeredgewidth=0)
        axes.axvline(optimum * factor, color=FAINT, linewidth=1.2, linestyle=":")
        every = np.concatenate([factor * scores for scores in finals.values()])
        scale(axes, "x", [*every.tolist(), optimum * factor], keep=seen)
        axes.set_yticks(range(len(names)), [wrapped(name, LABEL) for name in names])
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(label)

    return chart(paint, alt, (5.4, 0.9 + 0.42 * len(names)))
