"""The charts of a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from archwright.compare.statistics import Vector
from archwright.diagnosis.result import Mask
from archwright.diagnosis.statistics import Figure
from archwright.reports.charts import DOTS, FAINT, INK, SERIES, STROKES, chart, legend, scale, wrapped
from archwright.reports.summary import spread

BEST = 10
"""Architectures whose ranks are followed."""


def forest(rows: Mapping[str, Sequence[Figure]], regions: Sequence[str], alt: str) -> Markup:
    """Kendall's tau of each estimate with its interval, in each region: the first filled, the others beside it."""
    places = len(rows)

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=FAINT, linewidth=1)
        for number, region in enumerate(regions):
            shift = (number - (len(regions) - 1) / 2) * 0.24
            heights = [row + shift for row in range(places)]
            figures = [found[number] for found in rows.values()]
            colour, fill = SERIES[number], SERIES[number] if number == 0 else "none"
            for height, found in zip(heights, figures, strict=True):
                axes.plot([found.low, found.high], [height, height], color=colour, linewidth=2.2 - 0.5 * number)
            values = [found.value for found in figures]
            axes.plot(
                values,
                heights,
                "osD"[number],
                color=colour,
                markerfacecolor=fill,
                markersize=5,
                linestyle="",
                label=region,
            )
        axes.set_yticks(range(places), [wrapped(name, 26) for name in rows])
        axes.set_ylim(places - 0.45, -0.55)
        axes.set_xlim(min(-0.05, *_known(rows, "low")) - 0.03, 1.02)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Kendall's τ with the reference")
        legend(axes)

    return chart(paint, alt, (6.4, 1.1 + 0.46 * places))


def scatter(scores: Vector, truth: Vector, fair: Mask, names: tuple[str, str], alt: str) -> Markup:
    """Each architecture by the reference and by an estimate; those near the top apart."""

    def paint(axes: Axes) -> None:
        for inside, colour, mark, label in ((fair, FAINT, "o", "at random"), (~fair, SERIES[1], "^", "near the top")):
            known = [(x, y) for x, y in zip(scores[inside], truth[inside], strict=True) if math.isfinite(x * y)]
            dots = spread(known, DOTS)
            if dots:
                x, y = zip(*dots, strict=True)
                axes.plot(x, y, mark, color=colour, markersize=4, markeredgewidth=0, alpha=0.75, label=label)
        scale(axes, "x", scores.tolist(), keep=())
        scale(axes, "y", truth.tolist(), keep=())
        axes.set(xlabel=wrapped(names[0], 44), ylabel=wrapped(names[1], 32))
        legend(axes)

    return chart(paint, alt, (4.4, 3.3))


def bumps(ranks: Mapping[str, Vector], alt: str, wide: bool = False) -> Markup:
    """Ranks of the reference's best architectures in each order; the reference is the last. 1 is best.

    Args:
        ranks: of the same architectures, the reference's best first: (best,); NaN without an answer.
        wide: for the page's whole width.
    """
    names = list(ranks)

    def paint(axes: Axes) -> None:
        table = np.array([ranks[name] for name in names])
        for number, line in enumerate(table.T):
            colour, stroke = SERIES[number % 6], STROKES[number // 6]
            axes.plot(range(len(names)), line, color=colour, linestyle=stroke, linewidth=1.6, alpha=0.9)
            axes.plot(range(len(names)), line, "o", color=colour, markersize=4.5, markeredgewidth=0)
        worst = float(np.nanmax(table))
        axes.set_yscale("log")
        axes.set_ylim(worst * 1.15, 0.87)
        ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if tick <= worst]
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xticks(range(len(names)), [wrapped(name, 13) for name in names])
        axes.set_xlim(-0.25, len(names) - 0.75)
        axes.set_ylabel("rank")

    return chart(paint, alt, (9.6, 4.0) if wide else (5.4, 3.7))


def over_fidelity(
    levels: Sequence[float], series: Mapping[str, Sequence[Figure]], lines: Mapping[str, float], label: str, alt: str
) -> Markup:
    """Kendall's tau over the fidelity, in each region, with what counting parameters or FLOPs gives."""

    def paint(axes: Axes) -> None:
        for number, (region, figures) in enumerate(series.items()):
            colour, mark = SERIES[number], "osD"[number]
            x = [level * (1 + 0.02 * (number - 1)) for level in levels]
            for place, found in zip(x, figures, strict=True):
                axes.plot([place, place], [found.low, found.high], color=colour, linewidth=1.4)
            values = [found.value for found in figures]
            axes.plot(
                x, values, color=colour, marker=mark, markersize=5, markeredgewidth=0, linewidth=1.7, label=region
            )
        for number, (name, value) in enumerate(lines.items()):
            axes.axhline(value, color=INK, linewidth=1.1, linestyle=STROKES[1 + number], label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(list(levels)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.set_ylim(top=1.03)
        axes.set(xlabel=wrapped(label, 56), ylabel="Kendall's τ with the reference")
        legend(axes)

    return chart(paint, alt, (5.4, 3.7))


def _known(rows: Mapping[str, Sequence[Figure]], part: str) -> list[float]:
    values = [getattr(found, part) for figures in rows.values() for found in figures]
    return [value for value in values if math.isfinite(value)] or [0.0]
