"""A comparison as one HTML page: verdict, final scores, regret, ranks, overhead, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.compare import display
from archwright.compare.comparison import Comparison, Line
from archwright.compare.statistics import ALPHA, RESAMPLES
from archwright.compare.verdict import probability, verdict
from archwright.core.errors import ArchwrightError
from archwright.reports import comparison_charts as charts
from archwright.reports.page import Chart, fill, write
from archwright.reports.summary import Fact, part_name, part_settings

PAGE = "comparison.html"
"""The page's name in the comparison's folder."""


@dataclass(frozen=True)
class Cell:
    """A figure and what it is sorted by."""

    text: str
    value: float


def comparison_html(comparison: Comparison, path: str | Path | None = None) -> Path:
    """Writes a comparison as one page that holds all it needs.

    Args:
        path: the file; `comparison.html` in the comparison's folder if None.

    Returns:
        The file.

    Raises:
        ArchwrightError: the comparison has no folder and no path is given, or the file can't be written.
    """
    if path is None and comparison.folder is None:
        raise ArchwrightError("this comparison has no folder: say where to write its page")
    target = Path(path) if path is not None else Path(comparison.folder or "") / PAGE
    return write(fill("comparison.html.jinja", _content(comparison)), target)


def _content(comparison: Comparison) -> dict[str, Any]:
    terms, metric = comparison.terms, display.objective(comparison)
    looks = charts.Look.of_all([line.strategy for line in comparison.lines], comparison.baseline)
    seeds = comparison.manifest["seeds"]
    return {
        "title": f"{len(comparison.strategies)} strategies on {terms['benchmark']}",
        "folder": "" if comparison.folder is None else comparison.folder.resolve().name,
        "setting": display.setting(comparison),
        "verdict": verdict(comparison),
        "tiles": _tiles(comparison),
        "headings": _headings(comparison),
        "rows": [(line.strategy, _cells(comparison, line)) for line in comparison.lines],
        "optima": [display.optimum(comparison, judge) for judge in comparison.judges],
        "objective_optimum": display.figure(terms["optimum"], metric),
        "strips": [_strips(comparison, judge, looks) for judge in comparison.judges],
        "curves": [_curves(comparison, judge, looks) for judge in comparison.judges],
        "ranks": [_ranks(comparison, judge) for judge in comparison.judges if comparison.rankings[judge].pairs],
        "pairs": _pairs(comparison),
        "overhead": [(line.strategy, _overhead(line)) for line in comparison.lines],
        "alpha": f"{100 * ALPHA:g}%",
        "resamples": f"{RESAMPLES:,}",
        "seeds": seeds,
        "facts": _facts(comparison),
        "strategies": [
            Fact(label, part_name(description), part_settings(description))
            for label, description in comparison.manifest["strategies"].items()
        ],
        "machine": [Fact(name, str(value)) for name, value in comparison.manifest["machine"].items() if value],
        "manifest": json.dumps(comparison.manifest, indent=2, ensure_ascii=False),
    }


def _tiles(comparison: Comparison) -> list[Fact]:
    outcomes = comparison.outcomes.values()
    terms = comparison.terms
    found = [
        Fact("seeds a strategy", f"{comparison.manifest['seeds']:,}"),
        Fact("searches", f"{len(comparison.outcomes):,}"),
        Fact("evaluations", f"{sum(len(outcome.times) for outcome in outcomes):,}", "looked up in the table"),
    ]
    if terms["timed"]:
        days = terms["workers"] * sum(outcome.seconds for outcome in outcomes) / 86400
        found.append(Fact("days of training", f"{days:,.1f}", "simulated"))
    overhead = sum(outcome.cpu_seconds for outcome in outcomes)
    return [*found, Fact("of the strategies themselves", display.seconds(overhead), "CPU time, real")]


def _headings(comparison: Comparison) -> list[str]:
    judges = comparison.terms["judges"]
    scores = [
        f"{name} {display.heading(judge['score'])}" if len(judges) > 1 else display.heading(judge["score"])
        for name, judge in judges.items()
    ]
    return [*scores, display.heading(display.objective(comparison)), "average rank"]


def _cells(comparison: Comparison, line: Line) -> list[Cell]:
    judges, metric = comparison.terms["judges"], display.objective(comparison)
    scores = [
        Cell(display.spread(line.scores[name], judge["score"]), line.scores[name].mean)
        for name, judge in judges.items()
    ]
    return [
        *scores,
        Cell(display.spread(line.value, metric), line.value.mean),
        Cell(display.rank(line.rank), line.rank),
    ]


def _overhead(line: Line) -> list[Cell]:
    return [
        Cell(display.seconds(line.cpu_seconds), line.cpu_seconds),
        Cell(display.seconds(line.wall_seconds), line.wall_seconds),
        Cell(display.seconds(line.proposal_seconds), line.proposal_seconds),
        *(Cell(f"{value:.4g}", value) for value in (line.evaluations, line.repeats, line.failures)),
    ]


def _strips(comparison: Comparison, judge: str, looks: Mapping[str, charts.Look]) -> Chart:
    terms = comparison.terms["judges"][judge]
    finals = comparison.finals(judge)
    ordered = {line.strategy: finals[line.strategy] for line in comparison.lines}
    factor = 100.0 if display.is_share(terms["score"]) else 1.0
    label, alt = display.heading(terms["score"]), f"Final scores on {judge} of {len(ordered)} strategies"
    svg = charts.strips(ordered, looks, terms["optimum"], factor, label, alt)
    words = "the winner of each search. Box: quartiles and median; diamond: mean; dotted: the table's optimum."
    return Chart(svg, f"{judge}: {words}")


def _curves(comparison: Comparison, judge: str, looks: Mapping[str, charts.Look]) -> list[Chart]:
    terms = comparison.terms["judges"][judge]
    share = display.is_share(terms["score"])
    label = f"regret of {terms['score'].replace('_', ' ')}" + (", points of %" if share else "")
    found = []
    for axis in comparison.axes:
        curves = comparison.curves(judge, axis)
        if curves.bands:
            svg = charts.regret(curves, looks, 100.0 if share else 1.0, label, f"Regret on {judge} over {axis}")
            words = "evaluations" if axis == "evaluations" else "simulated seconds"
            found.append(Chart(svg, f"{judge}, over {words}: the mean over the seeds and its 95% band."))
    return found


def _ranks(comparison: Comparison, judge: str) -> Chart:
    ranking = comparison.rankings[judge]
    friedman = (
        ""
        if ranking.friedman is None
        else f" Friedman test: {probability(ranking.friedman)}.".replace("p ", "p\u00a0").replace("< ", "<\u00a0")
    )
    caption = f"{judge}: average ranks over {ranking.seeds} seeds, 1 is best.{friedman}"
    return Chart(charts.ranks(ranking, f"Average ranks on {judge}"), caption)


def _pairs(comparison: Comparison) -> list[tuple[str, str, bool, list[Cell]]]:
    """Those of the first judge, the clearest first."""
    ranking = comparison.rankings[comparison.judges[0]]
    return [
        (
            pair.better,
            pair.worse,
            ranking.told_apart(pair.better, pair.worse),
            [
                Cell(str(pair.wins), pair.wins),
                Cell(str(ranking.seeds - pair.wins - pair.losses), ranking.seeds - pair.wins - pair.losses),
                Cell(str(pair.losses), pair.losses),
                Cell(f"{pair.p:.2g}", pair.p),
            ],
        )
        for pair in sorted(ranking.pairs, key=lambda pair: pair.p)
    ]


def _facts(comparison: Comparison) -> list[Fact]:
    terms, manifest = comparison.terms, comparison.manifest
    benchmarks = manifest["benchmarks"]
    return [
        Fact("benchmark", terms["benchmark"], part_settings(benchmarks[comparison.judges[0]])),
        Fact("objective", ", ".join(terms["objectives"]), "what the strategies see"),
        Fact("budget", f"{display.budget(terms)} a search", "an evaluation under way at the end does not count"),
        Fact("trials at a time", str(terms["workers"])),
        Fact("seeds", f"0 to {manifest['seeds'] - 1}", "the same for all; strategies that start at random start alike"),
        *(
            Fact(
                f"judge {name}",
                judge["score"],
                f"optimum {display.optimum(comparison, name)}; table sha256 {judge['table'][:16]}…",
            )
            for name, judge in terms["judges"].items()
        ),
        Fact("archwright", manifest["archwright"], manifest["created"]),
    ]
