"""Targets as models like them: ranks, spread like a normal distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from archwright.core.architecture import Architecture
from archwright.predictors.predictor import Fitted, Predictor
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

FAR = 10.0
"""A normal score that no prediction goes beyond."""


@dataclass(frozen=True)
class Warped:
    """A predictor that learns normal scores of the targets, and whose predictions are taken back to their units.

    The target of rank r of n becomes the quantile (r - 1/2) / n of the standard normal distribution. Networks that
    learn nothing are far from all others, and would decide what a model of plain accuracies minds; how well the good
    ones are told apart is what a search lives on. What comes back is the middle of what is expected, not its mean.

    Attributes:
        of: the predictor.
    """

    of: Predictor

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Unwarped:
        """Fits the predictor inside to the scores."""
        targets = np.asarray(targets, dtype=float)
        scores = ndtri((rankdata(targets) - 0.5) / len(targets))
        order = np.unique(scores, return_index=True)[1]
        known, values = scores[order], targets[order]
        # Beyond what is known, as steeply as on average from the median to the end.
        median = float(np.median(targets))
        low = values[0] + (FAR + known[0]) * (values[0] - median) / max(-known[0], 1e-9)
        high = values[-1] + (FAR - known[-1]) * (values[-1] - median) / max(known[-1], 1e-9)
        fitted = self.of.fit(space, architectures, scores, seed)
        return Unwarped(fitted, np.array([-FAR, *known, FAR]), np.array([low, *values, high]))


@dataclass(frozen=True)
class Unwarped:
    """A model of normal scores that answers in the targets' units.

    Attributes:
        scores, values: what scores stand for, ascending; between them by straight lines.
    """

    of: Fitted
    scores: Array
    values: Array

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """What the mean score stands for, and half of what lies between a deviation below and one above: (m,), (m,)."""
        mean, std = self.of.predict(architectures)
        above, below = self._back(mean + std), self._back(mean - std)
        return self._back(mean), (above - below) / 2.0

    def _back(self, scores: Array) -> Array:
        return np.asarray(np.interp(scores, self.scores, self.values))
