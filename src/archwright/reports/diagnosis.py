"""A diagnosis as one HTML page: verdict, warnings, figures, scatter plots, ranks, and how it was made."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archwright.compare import display
from archwright.compare.statistics import RESAMPLES, Vector
from archwright.diagnosis.naming import folder_of
from archwright.diagnosis.result import ALL, TOP, Column, Diagnosis, Line
from archwright.diagnosis.statistics import Figure
from archwright.diagnosis.verdict import amount, cost, setting, verdict, warnings, with_interval
from archwright.reports import diagnosis_charts as charts
from archwright.reports.comparison import Cell
from archwright.reports.page import Chart, fill, write
from archwright.reports.summary import Fact, duration, part_name, part_settings

PAGE = "diagnosis.html"
"""The page's name in the diagnosis's folder."""

ORDERS = 7
"""Estimates whose ranks are drawn beside the reference's, in one chart; the best by tau, if there are more."""


def diagnosis_html(diagnosis: Diagnosis, path: str | Path | None = None) -> Path:
    """Writes a diagnosis as one page that holds all it needs.

    Args:
        path: the file; `diagnosis.html` in the diagnosis's folder if None.

    Returns:
        The file.

    Raises:
        ArchwrightError: the file can't be written.
    """
    target = diagnosis.folder / PAGE if path is None else Path(path)
    return write(fill("diagnosis.html.jinja", _content(diagnosis)), target)


def _content(diagnosis: Diagnosis) -> dict[str, Any]:
    manifest, metric = diagnosis.manifest, diagnosis.reference.by.metric
    estimates = diagnosis.of_kind("fidelity", "again", "estimator", "metric")
    drawn = [line for line in diagnosis.lines if line.column.kind != "again" or line is diagnosis.ceiling]
    count = len(diagnosis.of_kind("fidelity", "estimator", "metric"))
    regions = list(diagnosis.regions)
    rows = {line.label: [line.agreement[region].tau for region in regions] for line in drawn}
    estimate = "1 estimate" if count == 1 else f"{count} estimates"
    return {
        "title": f"{estimate} on {part_name(manifest['space'])} against {_name(diagnosis)}",
        "folder": diagnosis.folder.resolve().name,
        "setting": setting(diagnosis),
        "verdict": verdict(diagnosis),
        "warnings": warnings(diagnosis),
        "tiles": _tiles(diagnosis),
        "headings": _headings(diagnosis, metric),
        "rows": [(line.label, _cells(line, regions, metric)) for line in diagnosis.lines],
        "forest": Chart(
            charts.forest(rows, regions, "Kendall's tau of each estimate"),
            "Kendall's τ and its 95% interval: " + "; ".join(_regions(diagnosis)) + ".",
        )
        if rows
        else None,
        "scatters": [_scatter(diagnosis, line) for line in drawn],
        "rising": [_fidelity(diagnosis), _rising(diagnosis)] if diagnosis.of_kind("fidelity") else [],
        "orders": _orders(diagnosis),
        "resamples": f"{RESAMPLES:,}",
        "failures": [(line.label, line.failures) for line in estimates if line.failures]
        + ([(_name(diagnosis), diagnosis.unanswered)] if diagnosis.unanswered else []),
        "facts": _facts(diagnosis),
        "machine": [Fact(name, str(value)) for name, value in manifest["machine"].items() if value],
        "manifest": json.dumps(manifest, indent=2, ensure_ascii=False),
    }


def _name(diagnosis: Diagnosis) -> str:
    label = diagnosis.reference.label
    return "the reference" if label == "reference" else label


def _tiles(diagnosis: Diagnosis) -> list[Fact]:
    fair, near = int(diagnosis.fair.sum()), int((~diagnosis.fair).sum())
    best = display.figure(float(np.nanmax(diagnosis.truth)) * _sign(diagnosis.reference), diagnosis.reference.by.metric)
    found = [Fact("architectures", f"{fair:,}", "at random")]
    if near:
        found.append(Fact("more", f"{near:,}", "mutants of the best tenth"))
    found.append(Fact("the best", best, display.heading(diagnosis.reference.by.metric)))
    if diagnosis.seconds > 0:
        found.append(Fact("an answer", duration(diagnosis.seconds), "of the reference, the median"))
    return found


def _headings(diagnosis: Diagnosis, metric: str) -> list[str]:
    regions = [f"τ, {region}" for region in diagnosis.regions]
    unit = ", points of %" if display.is_share(metric) else ""
    return [*regions, "cost", "an answer", "Spearman", "top-10% recall", f"regret{unit}"]


def _cells(line: Line, regions: Sequence[str], metric: str) -> list[Cell]:
    agreement = line.agreement[ALL]
    taus = [line.agreement[region].tau for region in regions]
    regret = agreement.regret
    amounts = (display.figure(value, metric) for value in (regret.value, regret.low, regret.high))
    shown = "–" if math.isnan(regret.value) else "{} [{}, {}]".format(*amounts)
    return [
        *(Cell(with_interval(found), found.value) for found in taus),
        Cell(cost(line.cost).removesuffix(" of the cost").removesuffix(" cost") or "–", line.cost),
        Cell("–" if math.isnan(line.seconds) else _seconds(line.seconds), line.seconds),
        *(Cell(with_interval(found), found.value) for found in (agreement.spearman, agreement.recall)),
        Cell(shown, regret.value),
    ]


def _seconds(value: float) -> str:
    return display.seconds(value) if value < 60 else duration(value)


def _regions(diagnosis: Diagnosis) -> list[str]:
    sizes = {region: int(inside.sum()) for region, inside in diagnosis.regions.items()}
    more = {TOP: "the best tenth and their mutants"}
    return [f"{region} ({count}{', ' + more[region] if region in more else ''})" for region, count in sizes.items()]


def _fidelity(diagnosis: Diagnosis) -> Chart:
    lines = diagnosis.of_kind("fidelity")
    levels = [*(line.column.fidelity for line in lines), 1.0]
    again = diagnosis.ceiling
    series = {
        region: [
            *(line.agreement[region].tau for line in lines),
            again.agreement[region].tau if again else Figure(1.0, 1.0, 1.0),
        ]
        for region in diagnosis.regions
    }
    sizes = {f"{size.label} alone": size.tau.value for size in diagnosis.of_kind("size")}
    svg = charts.over_fidelity(levels, series, sizes, f"fidelity (1: {_name(diagnosis)})", "Agreement over fidelity")
    last = "from another seed" if again else "itself, so 1"
    return Chart(svg, f"How far the order at a lower fidelity is that of full fidelity; at 1 the reference {last}.")


def _scatter(diagnosis: Diagnosis, line: Line) -> Chart:
    names = (line.label, _name(diagnosis))
    x, y = (_measured(diagnosis, column) for column in (line.column, diagnosis.reference))
    labels = (_axis(names[0], line.column), _axis(names[1], diagnosis.reference))
    svg = charts.scatter(x, y, diagnosis.fair, labels, f"{names[0]} against {names[1]}")
    return Chart(svg, f"{line.label}: τ = {with_interval(line.tau)}{_pick(line, diagnosis.reference.by.metric)}.")


def _pick(line: Line, metric: str) -> str:
    regret = line.agreement[ALL].regret.value
    if math.isnan(regret):
        return ""
    return f"; its pick is {amount(regret, metric)} worse than the best" if regret > 0 else "; it picks the best"


def _measured(diagnosis: Diagnosis, column: Column) -> Vector:
    """As measured, accuracies in percent."""
    factor = 100.0 if display.is_share(column.by.metric) else 1.0
    return np.asarray(factor * _sign(column) * diagnosis.scores(column))


def _axis(label: str, column: Column) -> str:
    heading = display.heading(column.by.metric)
    return label if label in (heading, column.by.metric) or label.endswith(column.by.metric) else f"{label}: {heading}"


def _sign(column: Column) -> float:
    return 1.0 if column.by.maximize else -1.0


def _rising(diagnosis: Diagnosis) -> Chart:
    """The ranks of the reference's best as the fidelity rises."""
    lines = diagnosis.of_kind("fidelity")
    words = f"The best of the random sample by {_name(diagnosis)}: their ranks as the fidelity rises; 1 is best."
    return Chart(charts.bumps(_ranked(diagnosis, lines), "Ranks of the best as the fidelity rises"), words)


def _orders(diagnosis: Diagnosis) -> Chart | None:
    """The same in the order of each estimate."""
    known = [line for line in diagnosis.of_kind("estimator", "metric", "size") if not math.isnan(line.tau.value)]
    lines = sorted(known, key=lambda line: line.tau.value)[-ORDERS:]
    if not lines:
        return None
    of = f"the {ORDERS} estimates with the largest τ" if len(known) > ORDERS else "each estimate"
    words = f"The best of the random sample by {_name(diagnosis)}, in the order of {of}; τ grows from left to right."
    return Chart(charts.bumps(_ranked(diagnosis, lines), "Ranks of the best by each estimate", wide=True), words)


def _ranked(diagnosis: Diagnosis, lines: Sequence[Line]) -> dict[str, Vector]:
    """The ranks of the reference's best in each order, among the random sample; the reference's own last."""
    inside = diagnosis.regions[ALL]
    places = np.argsort(-np.where(inside, diagnosis.truth, -np.inf), kind="stable")
    best = places[: min(charts.BEST, int(inside.sum()))]
    scores = {line.label: diagnosis.scores(line.column) for line in lines} | {_name(diagnosis): diagnosis.truth}
    return {label: _ranks(values[inside], values[best]) for label, values in scores.items()}


def _ranks(values: Vector, of: Vector) -> Vector:
    """The rank of each of `of` among `values`, larger is better; equal ones have the mean of theirs."""
    above = (values[:, None] > of).sum(axis=0)
    equal = (values[:, None] == of).sum(axis=0)
    return np.where(np.isnan(of), np.nan, above + (equal + 1) / 2)


def _facts(diagnosis: Diagnosis) -> list[Fact]:
    manifest, runs = diagnosis.manifest, {column.run for column in diagnosis.columns}
    return [
        Fact("space", part_name(manifest["space"]), part_settings(manifest["space"])),
        Fact("reference", part_name(manifest["reference"]), part_settings(manifest["reference"])),
        Fact("objective", manifest["objective"]),
        *(
            Fact(label, part_name(given["estimator"]), part_settings(given["estimator"]))
            for label, given in manifest["candidates"].items()
            if folder_of(label) in runs  # of one that was interrupted there is nothing to see yet
        ),
        Fact("seed", str(manifest["seed"]), "of the sample"),
        Fact("archwright", manifest["archwright"], manifest["created"]),
    ]
