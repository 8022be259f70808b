"""What an extrapolator is: it says how a learning curve goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import numpy as np
from scipy.stats import norm

from archwright.core.architecture import Architecture

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Prediction:
    """Of a curve's value at a later point.

    Attributes:
        mean, std: of the prediction.
        samples: draws from it, (n,), where the model has them; else it is taken to be normal.
    """

    mean: float
    std: float
    samples: Array | None = None

    def exceeds(self, value: float) -> float:
        """The probability that the curve will be above `value`."""
        if self.samples is not None:
            return float(np.mean(self.samples > value))
        return float(self.mean > value) if self.std == 0 else float(norm.sf(value, self.mean, self.std))

    def interval(self, share: float = 0.9) -> tuple[float, float]:
        """The central interval that holds the value with probability `share`."""
        tails = (0.5 - share / 2, 0.5 + share / 2)
        if self.samples is not None:
            low, high = np.quantile(self.samples, tails)
        else:
            low, high = self.mean + self.std * norm.ppf(tails)
        return float(low), float(high)


@dataclass(frozen=True)
class Known:
    """A training that went to its end.

    Attributes:
        curve: the score after each epoch; larger is better.
        architecture: whose it is.
        numbers: what is known of it before it trains, such as parameters and FLOPs, always in one order.
    """

    curve: tuple[float, ...]
    architecture: Architecture | None = None
    numbers: tuple[float, ...] = ()


def finite(curve: Sequence[float]) -> bool:
    """Whether all scores are numbers: neither infinite nor nan, as of a training that diverges."""
    return all(isfinite(score) for score in curve)


class Extrapolator(Protocol):
    """A way to extrapolate. Those that learn from other curves do so in `fit`; the others return themselves."""

    @property
    def least(self) -> int:
        """How many complete curves it has to know before it can predict; 0 if it needs none."""
        ...

    def fit(self, known: Sequence[Known], seed: int = 0) -> Extrapolator:
        """An extrapolator that has learnt from the trainings known so far."""
        ...

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """The score after `horizon` epochs, given those after the first len(curve) >= 1, in which larger is better."""
        ...
