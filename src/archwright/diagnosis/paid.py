"""What an answer cost when it was made, whoever paid for it: a search may be given it for nothing, an estimate not."""

from __future__ import annotations

import math

from archwright.core.trial import Evaluation


def seconds(item: Evaluation) -> float:
    """Seconds that an answer took when it was made, those that `Cached` spared too.

    NaN where that isn't known: of an answer that an older archwright took from a cache.
    """
    if "cached" in item.metrics and "cached_seconds" not in item.metrics:
        return math.nan
    return item.cost + item.metrics.get("cached_seconds", 0.0)


def epochs(item: Evaluation) -> float:
    """Epochs that were trained for an answer; infinitely many where it doesn't say."""
    return item.metrics.get("epochs", math.inf) + item.metrics.get("cached_epochs", 0.0)
