"""Distances between architectures, of which those of a history are computed once: what kernels on distances share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Item = TypeVar("Item", bound=Hashable)
Seen = TypeVar("Seen")

MOST_KEPT = 1500
"""Items whose distances are kept, three times those that a process is conditioned on: a matrix of 18 MB."""


class Distances(Generic[Item, Seen]):
    """Symmetrical distances of items as `see` sees them.

    Attributes:
        see: an item as the distance sees it; remembered.
    """

    def __init__(self, see: Callable[[Item], Seen], between: Callable[[Seen, Sequence[Seen]], Array]) -> None:
        """`between(one, others)` are the distances of one item to others, at least one: (others,)."""
        self.see = lru_cache(maxsize=20_000)(see)
        self._between = between
        self._places: dict[Item, int] = {}
        self._kept: Array = np.zeros((0, 0))

    def __call__(self, left: Sequence[Item], right: Sequence[Item]) -> Array:
        """The distances: (left, right). Of a list to itself they are kept, since every proposal asks for them again."""
        if left is right:
            return self._among(left)
        short, long = sorted((left, right), key=len)
        rows, columns = [self.see(item) for item in short], [self.see(item) for item in long]
        far = np.array([self._between(row, columns) for row in rows]).reshape(len(rows), len(columns))
        return far if short is left else far.T

    def _among(self, items: Sequence[Item]) -> Array:
        wanted = list(dict.fromkeys(items))
        if len(self._places.keys() | wanted) > MOST_KEPT:
            self._keep([item for item in wanted if item in self._places])
        known = list(self._places)
        fresh = [item for item in wanted if item not in self._places]
        self._kept = np.pad(self._kept, (0, len(fresh)))
        for item in fresh:
            place = len(known)
            if known:
                far = self._between(self.see(item), [self.see(other) for other in known])
                self._kept[place, :place] = self._kept[:place, place] = far
            known.append(item)
            self._places[item] = place
        places = [self._places[item] for item in items]
        return self._kept[np.ix_(places, places)]

    def _keep(self, items: Sequence[Item]) -> None:
        """Forgets all others."""
        places = [self._places[item] for item in items]
        self._kept = self._kept[np.ix_(places, places)]
        self._places = {item: place for place, item in enumerate(items)}
