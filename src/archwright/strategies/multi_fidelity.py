"""Multi-fidelity strategies round a sampler: one says at which fidelity, the other which architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from archwright.core.history import History
from archwright.core.protocols import SearchSpace, Strategy
from archwright.core.trial import Trial
from archwright.spaces.encodings import OneHot
from archwright.spaces.operators import sample
from archwright.strategies.inside import check_proposes
from archwright.strategies.ladder import Ladder
from archwright.strategies.random_search import Random
from archwright.strategies.rungs import Rungs, is_promotion, promoted, trained

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.space import Space

TRIES = 5
"""How often a sampler is asked for what is not known yet."""


@dataclass(frozen=True)
class Start:
    """A move: a new architecture at this fidelity."""

    fidelity: float


@dataclass(frozen=True)
class Promotion:
    """A move: the architecture evaluated at `position` of the history, at this fidelity."""

    position: int
    fidelity: float


@dataclass(frozen=True)
class MultiFidelity(ABC):
    """A strategy that says at which fidelity a trial runs and who is promoted; a sampler inside names what is new.

    The sampler must not compare losses of different fidelities, so it sees a `View`: each start is one trial, with the
    answer of one fidelity. Few starts get one where it is high, so a sampler may name again and again what was asked at
    a lower fidelity: after `TRIES` times it gives way to a random architecture. One that names all neighbours of its
    best, the known ones too, comes to be random search: LocalSearch.

    A sampler that waits for all that it asked (NASH, EAS, PathLevel) would wait for answers that never come. It is
    asked once more with those of the fidelity at which the start will run, and what is not under way isn't pending
    then. If it waits even so, for other workers, a random architecture takes its turn: the more workers, the more of
    those.

    Attributes:
        of: the sampler: any strategy that proposes architectures, which gradient strategies such as DARTS don't.
        eta: what one fidelity is to the one below it.
        lowest: fidelity that the first rung has at least, in three digits or more; of 9 epochs, 1 / 9 is the least to
            train. Less is one epoch all the same, and a promotion from it to another such trains nothing.
        levels: the fidelities themselves, ascending to 1, in place of `eta` and `lowest`: those of a table, say.
        enough: successes at a fidelity from which on the sampler sees that one instead of a lower one; None is BOHB's
            rule, three more than the space has decisions.
    """

    of: Strategy = Random()
    eta: int = 3
    lowest: float = 1 / 9
    levels: tuple[float, ...] = ()
    enough: int | None = None

    def __post_init__(self) -> None:
        self.rungs  # noqa: B018 (numbers that don't fit are refused at once)
        check_proposes(self, self.of)

    @cached_property
    def rungs(self) -> Rungs:
        """The fidelities."""
        return Rungs(tuple(self.levels)) if self.levels else Rungs.geometric(self.eta, self.lowest)

    @abstractmethod
    def move(self, history: History, ladder: Ladder, fresh: bool) -> Start | Promotion:
        """What the next trial is.

        Args:
            ladder: read up to the end of the history.
            fresh: the ladder was read anew, so that nothing remembered of another history holds.
        """

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A promotion, or a new architecture of the sampler's."""
        ladder = self._ladder
        move = self.move(history, ladder, ladder.read(history))
        if isinstance(move, Promotion):
            risen = promoted(history, move.position, move.fidelity)
            return replace(risen, architecture=trained(history, move.position))  # whose checkpoint there is
        view = ladder.seen(self._enough(space) if self.enough is None else self.enough)
        for _ in range(TRIES):
            asked = self.of.propose(space, view.history, rng)
            if asked is None:
                view = ladder.views[move.fidelity]
                with view.awaiting(ladder.under_way):
                    asked = self.of.propose(space, view.history, rng)
            if asked is None:
                break
            parent = None if asked.parent is None else view.positions[asked.parent]
            trial = replace(asked, fidelity=move.fidelity, parent=parent)
            if not ladder.knows(trial):
                mistakable = is_promotion(history, trial)  # a child that is its parent's equal
                return replace(trial, parent=None) if mistakable else trial
        return Trial(sample(space, rng), move.fidelity)

    @cached_property
    def _ladder(self) -> Ladder:
        return Ladder(self.rungs.levels)

    @cached_property
    def _known_enough(self) -> list[tuple[SearchSpace, int]]:
        return []

    def _enough(self, space: SearchSpace) -> int:
        if not self._known_enough or self._known_enough[0][0] is not space:
            self._known_enough[:] = [(space, enough_for(space))]
        return self._known_enough[0][1]

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def enough_for(space: SearchSpace) -> int:
    """Of BOHB, N_min + 2: three more than there are decisions, those that only some architectures make included."""
    return len(OneHot(cast("Space", space)).slots) + 3
