"""Exhaustive search: every architecture once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import enumerate_all
from archwright.strategies.candidates import asked

if TYPE_CHECKING:
    from numpy.random import Generator


class Cursor:
    """How far an enumeration has got: a cache, good as long as what it named was asked, and nothing else."""

    def __init__(self, space: SearchSpace, history: History, left: Iterator[Architecture]) -> None:
        self.space, self.history, self.left = space, history, left
        self.named: Architecture | None = None
        self.number = -1  # of the trial that asks about it

    def next(self) -> Architecture | None:
        """The next one; None after the last."""
        self.named, self.number = next(self.left, None), self.history.asked
        return self.named

    def continues(self, space: SearchSpace, history: History) -> bool:
        """Whether the one it named last is the last that was asked, of the same space and in the same history."""
        if self.space is not space or self.history is not history:
            return False
        if self.named is None:
            return history.asked == self.number
        trial = history.pending.get(self.number)
        answered = (evaluation.trial for evaluation in reversed(history))
        asked = answered if trial is None else iter([trial])
        return history.asked == self.number + 1 and any(known.architecture == self.named for known in asked)


@dataclass
class Exhaustive:
    """Every architecture in the order of the walk; after the last there is nothing left to ask.

    Raises (at the first proposal):
        BadSpace: the space has a Real, so it has no end.
    """

    ends: ClassVar[bool] = True  # by itself, so that a search needs no budget, and no patience either

    _cursor: Cursor | None = field(default=None, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The first architecture that was not asked about yet."""
        if self._cursor is None or not self._cursor.continues(space, history):
            known = asked(history)
            left = (architecture for architecture in enumerate_all(space) if architecture not in known)
            self._cursor = Cursor(space, history, left)
        architecture = self._cursor.next()
        return None if architecture is None else Trial(architecture)

    def __getstate__(self) -> dict[str, object]:
        return {"_cursor": None}
