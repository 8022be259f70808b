"""Exhaustive search: every architecture once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import enumerate_all

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass
class Exhaustive:
    """Proposal n is the space's architecture number n; after the last there is nothing left to ask."""

    _cursor: tuple[SearchSpace, int, Iterator[Architecture]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The next architecture in the order of the walk.

        Raises:
            BadSpace: the space has a Real, so it has no end.
        """
        if self._cursor is None or self._cursor[:2] != (space, history.asked):  # the cursor is a cache, no state
            self._cursor = (space, history.asked, islice(enumerate_all(space), history.asked, None))
        architecture = next(self._cursor[2], None)
        self._cursor = (space, history.asked + 1, self._cursor[2])
        return None if architecture is None else Trial(architecture)

    def __getstate__(self) -> dict[str, object]:
        return {"_cursor": None}
