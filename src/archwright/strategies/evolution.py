"""Evolution as one sentence over its parts: survivors are selected, varied, and evaluated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture
from archwright.core.history import Fold, History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import sample
from archwright.strategies.evolving.population import Population, Select, Survive, Vary

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Evolution:
    """A composition of three parts. Named strategies are short files over it.

    It never waits: with several pending trials, more children of the same parents are asked.

    Attributes:
        survive: who is alive after each evaluation; see `archwright.strategies.evolving.survive`.
        select: who of them becomes a parent; see `...evolving.select`.
        vary: how a child comes from its parents; see `...evolving.vary`.
        start: how many random architectures come first; more of them while nobody is alive.
    """

    survive: Survive
    select: Select
    vary: Vary
    start: int

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture, then children; each names its (first) parent, whose weights may be inherited."""
        parents = self.alive(history)
        if history.asked < self.start or not parents:
            return Trial(sample(space, rng))
        drawn: list[Scored] = []

        def draw() -> Architecture:
            drawn.append(self.select(parents, rng))
            return drawn[-1].evaluation.trial.architecture

        child = self.vary(space, draw, rng)
        return Trial(child, parent=drawn[0].position)

    def alive(self, history: History) -> list[Scored]:
        """Who may be selected after all evaluations of `history`."""
        return self._population(history).parents

    @cached_property
    def _population(self) -> Fold[Population]:
        def step(population: Population, history: History, position: int) -> Population:
            child = history.scored(position)
            return population if child is None else self.survive(population, child)

        return Fold(lambda: Population([], []), step)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Composed(ABC):
    """A strategy that is an `Evolution` of certain parts, with a paper's numbers as its fields."""

    def __post_init__(self) -> None:
        self.evolution  # noqa: B018 (numbers that don't fit are refused at once)

    @abstractmethod
    def compose(self) -> Evolution:
        """The composition."""

    @cached_property
    def evolution(self) -> Evolution:
        """What `compose` made."""
        return self.compose()

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """As the composition does."""
        return self.evolution.propose(space, history, rng)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}
