"""The last value: what every extrapolation has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archwright.curves.extrapolator import Known, Prediction


@dataclass(frozen=True)
class LastValue:
    """Nothing changes any more: the score at the horizon is the last one seen. Takes scores of any range.

    The spread is that of a random walk with the changes seen so far. Of a curve of one score no change is known: the
    spread then is 1, the range of an accuracy.
    """

    @property
    def least(self) -> int:
        """It needs no complete curve."""
        return 0

    def fit(self, known: Sequence[Known], seed: int = 0) -> LastValue:
        """Itself."""
        return self

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """The last score."""
        if len(curve) == 1:
            return Prediction(float(curve[-1]), 1.0)
        step = np.sqrt(np.mean(np.diff(curve) ** 2))
        return Prediction(float(curve[-1]), float(step * np.sqrt(max(0, horizon - len(curve)))))
