"""Regularised (aging) evolution: Real, Aggarwal, Huang and Le, 2019, algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.core.history import History, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import mutate, sample

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class RegularizedEvolution:
    """The best of a random sample of the population is mutated; the oldest dies.

    Attributes:
        population: P of the paper, 100. The youngest P successful evaluations are the population, so that
            appending to the history is what removes the oldest.
        sample: S of the paper, 25 for its large-scale experiments.
    """

    population: int = 100
    sample: int = 25

    def __post_init__(self) -> None:
        if not 1 <= self.sample <= self.population:
            raise ArchwrightError(f"1 <= sample <= population is needed, not {self.sample} and {self.population}")

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first P trials, then a child."""
        if history.asked < self.population or not history.succeeded:
            return Trial(sample(space, rng))
        population = history.succeeded[-self.population :]
        drawn = rng.permutation(len(population))[: self.sample]
        parent = best_of([population[index] for index in drawn.tolist()])
        return Trial(mutate(space, parent.evaluation.trial.architecture, rng))
