"""Regularised (aging) evolution: Real, Aggarwal, Huang and Le, 2019, algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass

from archwright.core.errors import ArchwrightError
from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.select import Tournament
from archwright.strategies.evolving.survive import Youngest
from archwright.strategies.evolving.vary import Mutate


@dataclass(frozen=True)
class RegularizedEvolution(Composed):
    """The best of a random sample of the population is mutated; the oldest dies.

    Attributes:
        population: P of the paper, 100.
        sample: S of the paper, 25 for its large-scale experiments.
    """

    population: int = 100
    sample: int = 25

    def compose(self) -> Evolution:
        """The algorithm's sentence."""
        if not 1 <= self.sample <= self.population:
            raise ArchwrightError(f"1 <= sample <= population is needed, not {self.sample} and {self.population}")
        return Evolution(Youngest(self.population), Tournament(self.sample), Mutate(), start=self.population)
