"""Densities of one decision, learned from what was decided: the parts of a tree of Parzen estimators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from archwright.core.architecture import Value
from archwright.core.choices import Choice, Integer, Open, Real, from_unit, sides, to_unit

if TYPE_CHECKING:
    from numpy.random import Generator

Array = np.ndarray[Any, np.dtype[np.float64]]

NEWEST = 25
"""So many of the latest values weigh fully, and older ones the less the older (Bergstra et al., 2013)."""

FINEST = 100
"""No kernel is narrower than this part of the range, nor than the part that each value would have of it."""

ROOT = math.sqrt(2.0 * math.pi)


class Counted:
    """A Choice: each option's weighted count, and one more for each as the prior (Bergstra et al., 2011, section 4)."""

    def __init__(self, choice: Choice, values: Sequence[Value]) -> None:
        taken = np.array(values, dtype=int)
        counts = 1.0 + np.bincount(taken, weights_by_age(len(taken)), minlength=len(choice.options))
        self.shares = counts / counts.sum()

    def draw(self, rng: Generator) -> Value:
        """An option's index."""
        return min(int(np.searchsorted(np.cumsum(self.shares), rng.random(), side="right")), len(self.shares) - 1)

    def log_density(self, value: Value) -> float:
        """The logarithm of the option's probability."""
        return math.log(self.shares[int(value)])


class Parzen:
    """An Integer or a Real: a mixture of normal distributions, truncated to the range, one a value and one the prior.

    The prior's lies in the middle and is as wide as the range. Each other's standard deviation is the distance to the
    neighbour that is farther away, the prior's middle being one, within limits. All is measured in shares of the range,
    in its logarithm for `log`; an Integer has a cell of it, and its probability is what falls into that.
    """

    def __init__(self, choice: Integer | Real, values: Sequence[Value]) -> None:
        self.choice = choice
        centres = np.array([sum(cell(choice, value)) / 2.0 for value in values] + [0.5])
        order = np.argsort(centres, kind="stable")
        gaps = np.diff(centres[order])
        widths = np.empty(len(centres))
        widths[order] = np.maximum(np.append(0.0, gaps), np.append(gaps, 0.0))
        self.centres = centres
        self.widths = np.clip(widths, 1.0 / min(FINEST, len(centres)), 1.0)
        self.widths[-1] = 1.0
        weights = np.append(weights_by_age(len(values)), 1.0)
        self.shares = weights / weights.sum()
        self.before = ndtr(-self.centres / self.widths)  # what truncation cuts off below, and what it leaves
        self.inside = ndtr((1.0 - self.centres) / self.widths) - self.before

    def draw(self, rng: Generator) -> Value:
        """A value in the choice's range."""
        part = min(int(np.searchsorted(np.cumsum(self.shares), rng.random(), side="right")), len(self.shares) - 1)
        below = self.before[part] + rng.random() * self.inside[part]
        share = self.centres[part] + self.widths[part] * float(ndtri(below))
        return from_unit(self.choice, min(max(float(share), 0.0), 1.0))

    def log_density(self, value: Value) -> float:
        """The logarithm of the density in shares of the range; for an Integer of the probability."""
        left, right = ((side - self.centres) / self.widths for side in cell(self.choice, value))
        if isinstance(self.choice, Integer):
            parts = ndtr(right) - ndtr(left)
        else:
            parts = np.exp(-0.5 * left * left) / (ROOT * self.widths)
        return math.log(max(float(np.sum(self.shares * parts / self.inside)), 1e-300))


def density(choice: Open, values: Sequence[Value]) -> Counted | Parzen:
    """What was decided for a choice, oldest first, as a density; of no value the prior alone."""
    return Counted(choice, values) if isinstance(choice, Choice) else Parzen(choice, values)


def weights_by_age(count: int) -> Array:
    """Oldest first: a ramp from 1 / count up to 1, and 1 for the newest `NEWEST`: (count,)."""
    ramp = np.linspace(1.0 / count, 1.0, count - NEWEST) if count > NEWEST else np.empty(0)
    return np.append(ramp, np.ones(min(count, NEWEST)))


def cell(choice: Integer | Real, value: Value) -> tuple[float, float]:
    """From where to where a value reaches between 0 and 1, as `from_unit` cuts the range; a Real's is a point."""
    if isinstance(choice, Real):
        return (to_unit(choice, value),) * 2
    low, high = sides(choice)
    if choice.log:
        return tuple(math.log(side / low) / math.log(high / low) for side in (value - 0.5, value + 0.5))  # type: ignore[return-value]
    return (value - 0.5 - low) / (high - low), (value + 0.5 - low) / (high - low)
