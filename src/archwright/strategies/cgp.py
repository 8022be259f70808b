"""CGP-CNN: Suganuma, Shirakawa and Nagao, 2017, section 3.2."""

from __future__ import annotations

from dataclasses import dataclass

from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.population import demand
from archwright.strategies.evolving.select import Tournament
from archwright.strategies.evolving.survive import Elite
from archwright.strategies.evolving.vary import Either, Forced, Neutral


@dataclass(frozen=True)
class CGP(Composed):
    """(1 + lambda) evolution of Cartesian genetic programming: one parent, which drifts where that changes no graph.

    Children are mutated until a gene changes that is expressed: until the canonical key is another. Once a generation
    the parent itself is mutated where that leaves the key as it is. That mutant is asked about like a child; its answer
    is known, at no cost, and equals the parent's, and among equals the younger stays: so the drift is in the history.
    A space that says nothing of its architectures' graphs has no neutral mutations.

    Attributes:
        offspring: lambda of the paper, 2.
        rate: the probability that a gene changes, 0.05.
    """

    offspring: int = 2
    rate: float = 0.05

    def compose(self) -> Evolution:
        """The parent's forced mutants, and on average one neutral one a generation."""
        demand(self.offspring >= 1, "at least one child a generation")
        return Evolution(
            survive=Elite(1, self.offspring + 1),
            select=Tournament(1),
            vary=Either(1 / (self.offspring + 1), Neutral(self.rate), Forced(self.rate)),
            start=1,
        )
