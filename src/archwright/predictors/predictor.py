"""What a predictor is: a model of a metric, learnt from evaluated architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archwright.core.architecture import Architecture
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

LEAST_STD = 1e-3
"""Of a prediction, in standard deviations of the targets: where all of a model agrees, nothing is certain yet."""


class Predictor(Protocol):
    """Settings of a model; `fit` makes the model."""

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Fitted:
        """The model of targets (n,), n >= 2; the same arguments give the same model. Picklable."""
        ...


class Fitted(Protocol):
    """A model that has learnt."""

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation of the metric for each: (m,), (m,), in the targets' units."""
        ...


def least_std(targets: Array) -> float:
    """The smallest deviation of a prediction, in the units of the targets (n,) that a model learns from."""
    return LEAST_STD * (float(np.std(targets)) or 1.0)
