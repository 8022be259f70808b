"""Which architectures a diagnosis looks at: a fair sample of the space, and the neighbourhood of its best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.core.rng import Streams, seed_for
from archwright.spaces.operators import TRIES, mutate, sample

if TYPE_CHECKING:
    from numpy.random import Generator


def uniform(space: SearchSpace, count: int, seed: int) -> tuple[Architecture, ...]:
    """Random architectures, no two with one canonical key; fewer where the space has no more."""
    return _distinct(space, lambda rng: sample(space, rng), count, (), seed_for("uniform", seed))


def near(
    space: SearchSpace, best: Sequence[Architecture], count: int, known: Sequence[Architecture], seed: int
) -> tuple[Architecture, ...]:
    """Mutants of the best, each in turn, one decision changed; none with the canonical key of a known one."""
    parents = cycle(best)
    return _distinct(space, lambda rng: mutate(space, next(parents), rng), count, known, seed_for("near the top", seed))


def _distinct(
    space: SearchSpace,
    draw: Callable[[Generator], Architecture],
    count: int,
    known: Sequence[Architecture],
    seed: int,
) -> tuple[Architecture, ...]:
    keys = {space.key(architecture) for architecture in known}
    streams, found = Streams(seed), list[Architecture]()
    draws = idle = 0
    while len(found) < count and idle < TRIES:
        architecture = draw(streams[draws])
        draws, idle = draws + 1, idle + 1
        if (key := space.key(architecture)) not in keys:
            keys.add(key)
            found.append(architecture)
            idle = 0
    return tuple(found)
