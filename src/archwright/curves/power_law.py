"""A power law by least squares: the simplest curve that levels off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archwright.curves.extrapolator import Known, Prediction
from archwright.curves.families import Family, pow3

RISING = Family(pow3, ("c", "a", "alpha"), (1.0, 1.0, 0.5), (-1.0, 0.0, 1e-2), (100.0, 100.0, 10.0))
"""For scores mapped so that the lowest is 0 and the highest 1."""


@dataclass(frozen=True)
class PowerLaw:
    """c - a t^-alpha with a >= 0, least squares. Takes scores of any range.

    The spread is that of the residuals and of the parameters, linearised at the fit. Three parameters need four scores:
    of fewer, the last is the prediction, and its spread 1, the range of an accuracy.
    """

    @property
    def least(self) -> int:
        """It needs no complete curve."""
        return 0

    def fit(self, known: Sequence[Known], seed: int = 0) -> PowerLaw:
        """Itself."""
        return self

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """The power law at the horizon."""
        scores = np.asarray(curve, dtype=float)
        reach = float(np.ptp(scores))
        if reach == 0.0 and len(scores) > 3:
            return Prediction(float(scores[-1]), 0.0)
        if len(scores) <= 3:
            return Prediction(float(scores[-1]), 1.0)
        x, y = np.arange(1.0, len(scores) + 1), (scores - scores.min()) / reach
        c, a, alpha = RISING.fit(x, y, np.ones(len(x)))
        points = np.append(x, horizon)
        slopes = np.stack([np.ones_like(points), -(points**-alpha), a * np.log(points) * points**-alpha], axis=1)
        noise = np.sum((y - pow3(x, c, a, alpha)) ** 2) / (len(x) - 3)
        variance = noise * (1.0 + slopes[-1] @ np.linalg.pinv(slopes[:-1].T @ slopes[:-1]) @ slopes[-1])
        mean = float(scores.min() + reach * pow3(points[-1:], c, a, alpha)[0])
        return Prediction(mean, float(reach * np.sqrt(variance)))
