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

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class Exhaustive:
    """Every architecture in the order of the walk; after the last there is nothing left to ask.

    Raises (at the first proposal):
        BadSpace: the space has a Real, so it has no end.
    """

    ends: ClassVar[bool] = True  # by itself, so that a search needs no budget, and no patience either

    _cursor: tuple[History, int, Iterator[Architecture]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The first architecture that was not asked about yet."""
        if self._cursor is None or self._cursor[0] is not history or self._cursor[1] != history.asked:
            asked = {trial.architecture for trial in history.pending.values()}
            asked |= {evaluation.trial.architecture for evaluation in history}
            left = (architecture for architecture in enumerate_all(space) if architecture not in asked)
            self._cursor = (history, history.asked, left)  # a cache: whoever asks anew gets the same
        architecture = next(self._cursor[2], None)
        self._cursor = (history, history.asked + 1, self._cursor[2])
        return None if architecture is None else Trial(architecture)

    def __getstate__(self) -> dict[str, object]:
        return {"_cursor": None}
