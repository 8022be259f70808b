"""Losses as a Gaussian process likes them: monotone changes, so that better stays better."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

Array = np.ndarray[Any, np.dtype[np.float64]]


def half_rank(losses: Array) -> Array:
    """The better half as it is; the worse half by rank alone, as a normal distribution would continue: (n,).

    Networks that learn nothing are far from all others, and one of them would flatten the differences among the good
    ones. (Half-rank warping: Song et al., 2024, "The Vizier Gaussian process bandit algorithm".)
    """
    median = np.median(losses) if len(losses) else 0.0
    worse = losses > median
    spread = np.sqrt(np.mean((losses[~worse] - median) ** 2)) if worse.any() else 0.0
    ranks = np.searchsorted(np.sort(losses), losses, side="left") + 0.5  # equal losses stay equal
    return np.where(worse, median + (spread or 1.0) * ndtri(np.maximum(ranks / max(len(losses), 1), 0.5)), losses)
