"""How a child comes from its parents. Each part draws as many parents as it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.spaces.operators import cross_over, key_of, mutate, mutate_each
from archwright.strategies.evolving.population import Draw, Vary, demand

if TYPE_CHECKING:
    from numpy.random import Generator

TRIES = 100
"""How often `Forced` mutates anew before it settles for one changed decision."""


@dataclass(frozen=True)
class Copy:
    """The parent itself."""

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A parent."""
        return draw()


@dataclass(frozen=True)
class Mutate:
    """One decision changed."""

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A mutant of one parent."""
        return mutate(space, draw(), rng)


@dataclass(frozen=True)
class MutateEach:
    """Every decision changed with probability `rate`; None is one decision on average."""

    rate: float | None = None

    def __post_init__(self) -> None:
        demand(self.rate is None or 0.0 <= self.rate <= 1.0, "a mutation rate within 0 and 1")

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A mutant of one parent."""
        parent = draw()
        return mutate_each(space, parent, 1.0 / max(len(parent), 1) if self.rate is None else self.rate, rng)


@dataclass(frozen=True)
class CrossOver:
    """Each decision, or each stage as a whole, is the second parent's with probability `share`, else the first's."""

    share: float = 0.5
    stages: bool = False

    def __post_init__(self) -> None:
        demand(0.0 <= self.share <= 1.0, "a crossover's share within 0 and 1")

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A child of two parents."""
        return cross_over(space, draw(), draw(), rng, share=self.share, stages=self.stages)


@dataclass(frozen=True)
class Either:
    """`first` with that probability, else `second`."""

    probability: float
    first: Vary
    second: Vary

    def __post_init__(self) -> None:
        demand(0.0 <= self.probability <= 1.0, "a probability within 0 and 1")

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """What the one or the other makes."""
        return (self.first if rng.random() < self.probability else self.second)(space, draw, rng)


@dataclass(frozen=True)
class Chain:
    """`second` varies what `first` made."""

    first: Vary
    second: Vary

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """What the second makes of what the first made."""
        return self.second(space, lambda: self.first(space, draw, rng), rng)


@dataclass(frozen=True)
class Forced:
    """Mutated at `rate`, again and again, until it is another graph (forced mutation: Suganuma et al., 2017).

    After `TRIES` in vain one decision is changed.
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        demand(0.0 <= self.rate <= 1.0, "a mutation rate within 0 and 1")

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A mutant with another key."""
        parent = draw()
        graph = key_of(space, parent)
        for _ in range(TRIES):
            child = mutate_each(space, parent, self.rate, rng)
            if child != parent and key_of(space, child) != graph:
                return child
        return mutate(space, parent, rng)


@dataclass(frozen=True)
class Neutral:
    """Changed only where that leaves the graph as it is (neutral mutation: Suganuma et al., 2017).

    As many decisions are tried as a mutation at `rate` would change. Its answer is known, so it costs nothing.
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        demand(0.0 <= self.rate <= 1.0, "a mutation rate within 0 and 1")

    def __call__(self, space: SearchSpace, draw: Draw, rng: Generator) -> Architecture:
        """A mutant with the same key."""
        child = draw()
        graph = key_of(space, child)
        for _ in range(rng.binomial(len(child), self.rate)):
            mutant = mutate(space, child, rng)
            if key_of(space, mutant) == graph:
                child = mutant
        return child
