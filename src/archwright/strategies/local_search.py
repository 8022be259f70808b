"""Local search: hill climbing by first improvement, with restarts (White, Nolen and Savani, 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.history import History, Scored, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import Move, move_to, moved, moves, sample, with_decision
from archwright.strategies.learner import Learner

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class Climb:
    """Where the climber stands, and the moves from there that have no answer yet, in a fixed order.

    The first of these leads to a neighbour that the space doesn't exclude, so that there are none at a local optimum.
    """

    summit: Scored | None = None
    untried: tuple[Move, ...] = ()


@dataclass
class LocalSearch(Learner[Climb]):
    """Moves to the first neighbour that is better; at a local optimum starts anew from a random architecture.

    A neighbour names the architecture that it is one decision away from for its parent, so that its weights may be
    inherited.
    """

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """A neighbour of the summit in random order, or a new start."""
        climb = self.learned(space, history)
        if climb.summit is None or not climb.untried:
            return Trial(sample(space, rng))
        summit = climb.summit.evaluation.trial.architecture
        pending = {move_to(space, summit, trial.architecture) for trial in history.pending.values()}
        neighbour = moved(space, summit, [move for move in climb.untried if move not in pending], rng)
        if neighbour is None:  # the last neighbours are being evaluated: one of them may be the way up
            return None
        return Trial(neighbour, parent=climb.summit.position)

    def begin(self, space: SearchSpace) -> Climb:
        """Nowhere."""
        return Climb()

    def learn(self, state: Climb, space: SearchSpace, history: History, position: int) -> None:
        """One evaluation further: up if it is better or if the last climb had ended."""
        tried, scored = history[position].trial.architecture, history.scored(position)
        if state.summit is None or not state.untried:  # the last climb had ended
            higher = scored is not None
        else:
            higher = scored is not None and best_of([state.summit, scored]) is scored
        if higher:
            state.summit, state.untried = scored, self._allowed(space, tried, moves(space, tried))
        elif state.summit is not None:
            summit = state.summit.evaluation.trial.architecture
            done = move_to(space, summit, tried)
            state.untried = self._allowed(space, summit, [move for move in state.untried if move != done])

    def _allowed(self, space: SearchSpace, summit: Architecture, left: Sequence[Move]) -> tuple[Move, ...]:
        """From the first move on whose neighbour the space doesn't exclude."""
        places = range(len(left))
        start = next((n for n in places if space.excluded(with_decision(space, summit, *left[n])) is None), len(left))
        return tuple(left[start:])
