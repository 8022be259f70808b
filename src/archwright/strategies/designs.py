"""Where to look before there is a model: points that are spread out evenly."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Open, from_unit
from archwright.core.protocols import SearchSpace
from archwright.core.rng import stream_seed
from archwright.spaces.encodings import OneHot
from archwright.spaces.operators import sample, trace

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.space import Space


def latin_hypercube(space: SearchSpace, rng: Generator, number: int, count: int) -> Architecture:
    """Point `number` of a Latin hypercube of `count` points (McKay, Beckman and Conover, 1979).

    Each decision's range is cut into `count` cells and has one point in each; an option gets its share of the cells,
    up to one. Decisions that are made only under a condition have a coordinate of their own, so the promise holds for
    them among all points, made or not. The design belongs to the search's seed, not to the proposal. A point that the
    space excludes gives way to a random architecture.
    """
    slots = _slots(space)
    point = _points(stream_seed(rng), len(slots), count)[number]

    def decide(name: str, choice: Open) -> Value:
        share = float(point[slots[name]])
        return int(share * len(choice.options)) if isinstance(choice, Choice) else from_unit(choice, share)

    architecture = trace(space, decide)
    return architecture if space.excluded(architecture) is None else sample(space, rng)


def _slots(space: SearchSpace) -> dict[str, int]:
    return {name: place for place, name in enumerate(OneHot(cast("Space", space)).slots)}


@lru_cache(maxsize=8)
def _points(seed: int, dimensions: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(count, dimensions) in [0, 1). scipy.stats has it too, and takes a second to load."""
    rng = np.random.default_rng(seed)
    cells = rng.permuted(np.tile(np.arange(count), (dimensions, 1)), axis=1).T
    return np.asarray((cells + rng.random((count, dimensions))) / count)
