"""How a comparison's figures are written, in the terminal and on the page."""

from __future__ import annotations

import math
from typing import Any

from archwright.compare.comparison import Comparison, Spread
from archwright.core.objective import Constraint, parse


def is_share(metric: str) -> bool:
    """Whether it is written in percent, as papers do."""
    return metric.endswith("accuracy")


def heading(metric: str) -> str:
    """test_accuracy -> test accuracy, %."""
    return metric.replace("_", " ") + (", %" if is_share(metric) else "")


def short_heading(metric: str) -> str:
    """test_accuracy -> test %."""
    return metric.removesuffix("_accuracy") + " %" if metric.endswith("_accuracy") else heading(metric)


def figure(value: float, metric: str) -> str:
    """0.9437 -> 94.37 for an accuracy; four digits for anything else; a dash for nothing."""
    if not math.isfinite(value):
        return "–"
    return f"{100 * value:.2f}" if is_share(metric) else f"{value:.4g}"


def spread(spread: Spread, metric: str) -> str:
    """94.03 ± 0.29."""
    deviation = "" if math.isnan(spread.std) else f" ± {figure(spread.std, metric)}"
    return f"{figure(spread.mean, metric)}{deviation}"


def rank(value: float) -> str:
    """1.5 -> 1.50; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.2f}"


def seconds(value: float) -> str:
    """0.0024 -> 2.4 ms."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def objective(comparison: Comparison) -> str:
    """The metric that was searched on."""
    wanted = parse(comparison.terms["objectives"][0])
    assert not isinstance(wanted, Constraint)  # objectives come first
    return wanted.metric


def optimum(comparison: Comparison, judge: str) -> str:
    """The table's best score."""
    terms = comparison.terms["judges"][judge]
    return figure(terms["optimum"], terms["score"])


def budget(terms: Any) -> str:
    """12,000 simulated seconds and 150 evaluations."""
    parts = [
        f"{terms['seconds']:,g} simulated seconds" if terms["seconds"] is not None else "",
        f"{terms['evaluations']:,} evaluations" if terms["evaluations"] is not None else "",
    ]
    return " or ".join(part for part in parts if part)


def setting(comparison: Comparison) -> str:
    """What was compared, in a line."""
    terms = comparison.terms
    workers = f", {terms['workers']} trials at a time" if terms["workers"] > 1 else ""
    return (
        f"{len(comparison.strategies)} strategies × {comparison.manifest['seeds']} seeds on {terms['benchmark']} "
        f"({comparison.judges[0]}), {budget(terms)} a search{workers}"
    ).replace(f" ({terms['benchmark']})", "")
