"""Genetic CNN: Xie and Yuille, 2017, algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass

from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.select import Roulette
from archwright.strategies.evolving.survive import Generation
from archwright.strategies.evolving.vary import Copy, CrossOver, Either, MutateEach


@dataclass(frozen=True)
class GeneticCNN(Composed):
    """A generational genetic algorithm: roulette, crossover of whole stages, mutation of single decisions.

    A pair's two children come one by one here, each of a pair of its own. An individual that is neither crossed nor
    mutated lives on: its answer is known.

    Attributes:
        population: N of the paper, 20.
        crossover: p_C, the probability that a child is a crossover, 0.2.
        crossover_share: q_C, the probability that a stage is swapped, 0.2. A stage is what stands under one argument of
            the factory, or one item of it.
        mutation: p_M, the probability that what was not crossed is mutated, 0.8.
        mutation_rate: q_M, the probability that one of its decisions (there: bits) changes, 0.05.
    """

    population: int = 20
    crossover: float = 0.2
    crossover_share: float = 0.2
    mutation: float = 0.8
    mutation_rate: float = 0.05

    def compose(self) -> Evolution:
        """Selection, crossover, mutation: the steps 4 to 6 of the algorithm."""
        return Evolution(
            survive=Generation(self.population),
            select=Roulette(),
            vary=Either(
                self.crossover,
                CrossOver(self.crossover_share, stages=True),
                Either(self.mutation, MutateEach(self.mutation_rate), Copy()),
            ),
            start=self.population,
        )
