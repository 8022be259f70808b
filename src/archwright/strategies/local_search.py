"""Local search: hill climbing by first improvement, with restarts (White, Nolen and Savani, 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture
from archwright.core.history import Fold, History, Scored, best_of
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import neighbours, sample

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class _Climb:
    """Where the climber stands, and the neighbours that nobody has asked about yet, in a fixed order."""

    summit: Scored | None = None
    untried: tuple[Architecture, ...] = ()


@dataclass
class LocalSearch:
    """Moves to the first neighbour that is better; at a local optimum starts anew from a random architecture."""

    _climbs: dict[int, Fold[_Climb]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """A neighbour of the summit in random order, or a new start."""
        climb = self._climb(space)(history)
        pending = {trial.architecture for trial in history.pending.values()}
        asked = [architecture for architecture in climb.untried if architecture not in pending]
        if asked:
            return Trial(asked[int(rng.random() * len(asked))])
        if climb.untried:
            return None  # the last neighbours are being evaluated: one of them may be the way up
        return Trial(sample(space, rng))

    def _climb(self, space: SearchSpace) -> Fold[_Climb]:
        if id(space) not in self._climbs:
            self._climbs = {id(space): Fold(_Climb, lambda *step: _step(space, *step))}
        return self._climbs[id(space)]

    def __getstate__(self) -> dict[str, Any]:
        return {"_climbs": {}}


def _step(space: SearchSpace, climb: _Climb, history: History, position: int) -> _Climb:
    """One evaluation further: up if it is better or if the last climb had ended."""
    tried = history[position].trial.architecture
    left = tuple(architecture for architecture in climb.untried if architecture != tried)
    scored = history.scored(position)
    if scored is None:
        return replace(climb, untried=left)
    ended = climb.summit is None or not climb.untried
    if ended or (climb.summit is not None and best_of([climb.summit, scored]) is scored):
        return _Climb(scored, tuple(neighbours(space, tried)))
    return replace(climb, untried=left)
