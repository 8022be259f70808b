"""Who becomes a parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.history import Scored, best_of
from archwright.core.objective import Objective
from archwright.core.trial import Evaluation
from archwright.strategies.evolving.population import demand

if TYPE_CHECKING:
    from numpy.random import Generator

Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Tournament:
    """The best of a random sample, drawn without replacement (Goldberg and Deb, 1991).

    Attributes:
        size: how many are drawn, at least.
        share: how many are drawn at least, as a share of the population, for one that grows.
    """

    size: int = 2
    share: float = 0.0

    def __post_init__(self) -> None:
        demand(self.size >= 1 and 0.0 <= self.share <= 1.0, "tournaments of at least 1, or of a share within 0 and 1")

    def __call__(self, parents: Sequence[Scored], rng: Generator) -> Scored:
        """The winner."""
        living = len(parents)
        drawn = rng.permutation(living)[: max(self.size, round(self.share * living))]
        return best_of([parents[index] for index in drawn.tolist()])


@dataclass(frozen=True)
class Foremost:
    """Of `size` random ones the one that stands first: a tournament where the population is kept in an order."""

    size: int = 2

    def __call__(self, parents: Sequence[Scored], rng: Generator) -> Scored:
        """The foremost of those drawn."""
        return parents[int(rng.integers(len(parents), size=self.size).min())]


@dataclass(frozen=True)
class Roulette:
    """Drawn in proportion to how much fitter one is than the worst, who is never drawn (if not all are equal).

    The fitness is the loss, negated; with several objectives or violated constraints it is the number of those by whom
    one isn't beaten.
    """

    def __call__(self, parents: Sequence[Scored], rng: Generator) -> Scored:
        """One of the parents."""
        fitness = _fitness(parents)
        return parents[spin(fitness - fitness.min(), rng)]


@dataclass(frozen=True)
class InverseDensity:
    """Drawn inversely to how densely the population lies around one (LEMONADE: Elsken et al., 2019, equation 1).

    Attributes:
        metrics: the metrics among which density is judged; all objectives but the first if empty.
    """

    metrics: tuple[str, ...] = ()

    def __call__(self, parents: Sequence[Scored], rng: Generator) -> Scored:
        """One of the parents."""
        if self.metrics:
            places = measured([scored.evaluation for scored in parents], self.metrics)
        else:
            places = np.array([scored.losses[1:] for scored in parents], dtype=float)
        return parents[spin(1.0 / density(places, places), rng)]


def measured(evaluations: Sequence[Evaluation], metrics: Sequence[str]) -> Vector:
    """The metrics of evaluations: (evaluations, metrics).

    Raises:
        BadObjective: one was not measured.
    """
    losses = [Objective(name).loss for name in metrics]
    return np.array([[loss(evaluation) for loss in losses] for evaluation in evaluations], dtype=float)


def spin(weights: Vector, rng: Generator) -> int:
    """An index drawn in proportion to the weights; a uniform one if all are zero."""
    wheel = np.cumsum(weights if weights.any() else np.ones(len(weights)))
    return min(int(np.searchsorted(wheel, rng.random() * wheel[-1], side="right")), len(wheel) - 1)


def density(points: Vector, at: Vector) -> Vector:
    """The density of `points` (n, d) at the places `at` (m, d) by Gaussian kernels, up to a factor: (m,).

    Every column is scaled to unit deviation and the bandwidth is Scott's, n ** (-1 / (d + 4)). Never zero, so that it
    can be divided by; the same everywhere if there are no columns.
    """
    count, columns = points.shape
    deviation = points.std(axis=0)
    bandwidth = np.where(deviation > 0.0, deviation, 1.0) * count ** (-1.0 / (columns + 4))
    distance = (((at[:, None] - points[None]) / bandwidth) ** 2).sum(axis=2)  # (m, n)
    return np.asarray(np.exp(-0.5 * np.minimum(distance, 1000.0)).sum(axis=1))


def _fitness(parents: Sequence[Scored]) -> Vector:
    if len(parents[0].losses) == 1 and all(scored.violation == 0.0 for scored in parents):
        return np.array([-scored.losses[0] for scored in parents])
    return np.array([-float(sum(other.beats(scored) for other in parents)) for scored in parents])
