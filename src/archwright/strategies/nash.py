"""NASH, neural architecture search by hill climbing: Elsken, Metzen and Hutter, 2017, algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import sample
from archwright.strategies.growth import grown, seedling
from archwright.strategies.learner import Learner

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class Step:
    """A step of the climb.

    Attributes:
        parent: the best of the step before; None before the first network is trained.
        children: those that have arrived, without the failures.
        arrived: how many have arrived.
        number: of steps that are done.
    """

    parent: Scored | None = None
    children: list[Scored] = field(default_factory=list)
    arrived: int = 0
    number: int = 0


@dataclass
class NASH(Learner[Step]):
    """From the best network several children by random morphisms, and itself once more; the best of them is next.

    All train on from the parent's weights, if the estimator is `Inherited`: so the parent itself is one of the children
    and trains as long as they do, under the step's number as its seed, since to a search it is another question then.
    The climb begins with the space's smallest network. In a space without morphisms a child differs by decisions.

    With several workers a step's children are trained at once; the next step waits for all.

    Attributes:
        children: n_neigh of the paper, 8; the parent is one of them.
        morphisms: n_NM of the paper, 5: from the parent to a child.
    """

    children: int = 8
    morphisms: int = 5

    def __post_init__(self) -> None:
        if self.children < 2 or self.morphisms < 1:
            raise ArchwrightError(
                f"NASH needs at least 2 children, the parent being one, and 1 morphism, not {self.children} "
                f"and {self.morphisms}"
            )

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """A child of the best; None while the last of a step are being trained."""
        step = self.learned(space, history)
        if step.parent is None:
            return None if history.pending else Trial(sample(space, rng) if len(history) else seedling(space, rng))
        asked = step.arrived + len(history.pending)
        if asked >= self.children:
            return None
        parent = step.parent.evaluation.trial.architecture
        if asked == self.children - 1:
            return Trial(parent, seed=step.number + 1, parent=step.parent.position)
        return Trial(grown(space, parent, self.morphisms, rng), parent=step.parent.position)

    def begin(self, space: SearchSpace) -> Step:
        """Before the first network."""
        return Step()

    def learn(self, state: Step, space: SearchSpace, history: History, position: int) -> None:
        """One evaluation further; the last of a step ends it."""
        scored = history.scored(position)
        if state.parent is None:
            state.parent = scored
            return
        state.arrived += 1
        state.children += [scored] if scored is not None else []
        if state.arrived == self.children:
            state.parent = best_of(state.children or [state.parent])
            state.children, state.arrived, state.number = [], 0, state.number + 1
