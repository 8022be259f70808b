"""Local search: hill climbing by first improvement, with restarts (White, Nolen and Savani, 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.history import History, Scored, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import neighbours, sample
from archwright.strategies.learner import Learner

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class Climb:
    """Where the climber stands, and the neighbours that nobody has asked about yet, in a fixed order."""

    summit: Scored | None = None
    untried: tuple[Architecture, ...] = ()


@dataclass
class LocalSearch(Learner[Climb]):
    """Moves to the first neighbour that is better; at a local optimum starts anew from a random architecture.

    A neighbour names the architecture that it is one decision away from for its parent, so that its weights may be
    inherited.
    """

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """A neighbour of the summit in random order, or a new start."""
        climb = self.learned(space, history)
        pending = {trial.architecture for trial in history.pending.values()}
        left = [architecture for architecture in climb.untried if architecture not in pending]
        if left and climb.summit is not None:
            return Trial(left[int(rng.random() * len(left))], parent=climb.summit.position)
        if climb.untried:
            return None  # the last neighbours are being evaluated: one of them may be the way up
        return Trial(sample(space, rng))

    def begin(self, space: SearchSpace) -> Climb:
        """Nowhere."""
        return Climb()

    def learn(self, state: Climb, space: SearchSpace, history: History, position: int) -> None:
        """One evaluation further: up if it is better or if the last climb had ended."""
        tried, scored = history[position].trial.architecture, history.scored(position)
        ended = state.summit is None or not state.untried
        if scored is not None and (ended or (state.summit is not None and best_of([state.summit, scored]) is scored)):
            state.summit, state.untried = scored, tuple(neighbours(space, tried))
        else:
            state.untried = tuple(architecture for architecture in state.untried if architecture != tried)
