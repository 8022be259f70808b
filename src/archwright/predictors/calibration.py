"""Deviations that mean what they say, whatever the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from archwright.core.architecture import Architecture
from archwright.predictors.predictor import Fitted, Predictor, least_std
from archwright.predictors.validation import LEAST, unseen
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

SHARE = 0.9
"""Of the targets, to be inside the interval that is made right."""


@dataclass(frozen=True)
class Calibrated:
    """A predictor whose standard deviations are stretched by one factor, so that its 90 % intervals hold 90 %.

    The factor is the quantile of |target - mean| / std over predictions by cross-validation, taken as a conformal one
    is (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, 2018, section 5.2: locally weighted), over that of the normal
    distribution. A quantile, since one network that learnt nothing would blow up a mean of squares. Deviations that are
    smaller than `least_std`, such as 0, which no factor stretches, are that before they are stretched.

    Attributes:
        of: the predictor; it is fitted once more for each fold.
        folds: of the cross-validation.
    """

    of: Predictor
    folds: int = 5

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Stretched:
        """Fits the predictor inside, and finds the factor; 1 for fewer than 3 architectures."""
        targets = np.asarray(targets, dtype=float)
        fitted, least = self.of.fit(space, architectures, targets, seed), least_std(targets)
        if len(targets) < LEAST:
            return Stretched(fitted, 1.0, least)
        mean, std = unseen(self.of, space, architectures, targets, self.folds, seed)
        return Stretched(fitted, factor(targets - mean, np.maximum(std, least)), least)


@dataclass(frozen=True)
class Stretched:
    """A fitted model with its deviations, of at least `least` each, times a factor."""

    of: Fitted
    factor: float
    least: float

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation: (m,), (m,)."""
        mean, std = self.of.predict(architectures)
        return mean, self.factor * np.maximum(std, self.least)


def factor(residuals: Array, std: Array) -> float:
    """By what to multiply deviations (n,) for residuals (n,) of predictions of what was not seen."""
    ratios = np.sort(np.abs(residuals) / std)
    place = min(math.ceil((len(ratios) + 1) * SHARE), len(ratios))
    return float(ratios[place - 1] / norm.ppf(0.5 + SHARE / 2))
