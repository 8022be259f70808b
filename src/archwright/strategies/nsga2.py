"""NSGA-II: Deb, Pratap, Agarwal and Meyarivan, 2002."""

from __future__ import annotations

from dataclasses import dataclass

from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.select import Foremost
from archwright.strategies.evolving.survive import Elite, Fresh
from archwright.strategies.evolving.vary import Chain, Copy, CrossOver, Either, MutateEach


@dataclass(frozen=True)
class NSGA2(Composed):
    """(mu + lambda) evolution by non-dominated fronts, and inside a front by how little crowded one is.

    Survivors are kept in that order, so that a tournament is won by who stands first. Constraints are served by
    constrained domination. Answers that repeat a known one are no children: a discrete space gives many.

    Attributes:
        population: N of the paper, 100, both mu and lambda.
        crossover: probability that a child has two parents, 0.9 (§IV).
        mutation_rate: probability that a decision changes; None is one over their number (§IV).
    """

    population: int = 100
    crossover: float = 0.9
    mutation_rate: float | None = None

    def compose(self) -> Evolution:
        """Binary tournament, uniform crossover, mutation, elitism."""
        return Evolution(
            survive=Fresh(Elite(self.population, self.population)),
            select=Foremost(2),
            vary=Chain(Either(self.crossover, CrossOver(), Copy()), MutateEach(self.mutation_rate)),
            start=self.population,
        )
