"""Tournament evolution: Real et al., 2017 (the worst is killed), and Liu et al., 2018 (nothing is removed)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archwright.core.errors import ArchwrightError, one_of
from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.population import Survive
from archwright.strategies.evolving.select import Tournament
from archwright.strategies.evolving.survive import Everyone, Stronger, Youngest
from archwright.strategies.evolving.vary import Mutate

REMOVALS: Mapping[str, Callable[[int, int], Survive]] = {
    "worst": lambda population, sample: Stronger(population, sample),
    "oldest": lambda population, sample: Youngest(population),
    "none": lambda population, sample: Everyone(),
}


@dataclass(frozen=True)
class TournamentEvolution(Composed):
    """The best of a random sample is mutated, and something dies for the child, or nothing.

    The defaults are those of "Large-Scale Evolution of Image Classifiers" (Real et al., 2017, §3.1): of two random
    individuals the better one reproduces and the worse one is killed. There one pair decides both; here the deaths have
    pairs of their own, since the history doesn't say who lost when a trial was asked, and with several workers it
    could not.

    "Hierarchical Representations for Efficient Architecture Search" (Liu et al., 2018, §4.1) is
    `TournamentEvolution(population=200, share=0.05, remove="none")`. (It begins with 1,000 random mutations of an
    identity; ours with random architectures, which is where such a walk leads.)

    Attributes:
        population: how many random architectures come first, and how many are alive: 1,000. Without removal the
            population grows from there.
        sample: how many compete, at least.
        share: how many compete at least, as a share of the living.
        remove: who dies: the "worst" of a sample, the "oldest", or "none".
    """

    population: int = 1000
    sample: int = 2
    share: float = 0.0
    remove: str = "worst"

    def compose(self) -> Evolution:
        """Tournament, one mutation, removal."""
        if self.remove not in REMOVALS:
            raise ArchwrightError(one_of("removal", self.remove, REMOVALS))
        return Evolution(
            survive=REMOVALS[self.remove](self.population, self.sample),
            select=Tournament(self.sample, self.share),
            vary=Mutate(),
            start=self.population,
        )
