"""How networks grow: where a search by morphisms begins, and which children an architecture has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.spaces.morphing import Morph, morphs
from archwright.spaces.operators import first, neighbours, sample, trace

if TYPE_CHECKING:
    from numpy.random import Generator

CHANGE = "change"
"""The kind of a child in a space without morphisms: one decision changed."""


def seedling(space: SearchSpace, rng: Generator) -> Architecture:
    """Where growth begins: the first option and the lowest number everywhere, which in a space that grows is smallest.

    Where the space excludes that, a random architecture.
    """
    smallest = trace(space, lambda _, choice: first(choice))
    return smallest if space.excluded(smallest) is None else sample(space, rng)


def children(space: SearchSpace, architecture: Architecture) -> list[Morph]:
    """What the space's morphisms reach from an architecture; in a space without any, its neighbours."""
    found = morphs(space, architecture)
    if found or hasattr(getattr(space, "factory", None), "morphs"):
        return found
    return [Morph(CHANGE, neighbour) for neighbour in neighbours(space, architecture)]


def grown(space: SearchSpace, architecture: Architecture, steps: int, rng: Generator) -> Architecture:
    """An architecture after so many random morphisms: a kind is drawn, then one of that kind; fewer if none is left."""
    for _ in range(steps):
        found = children(space, architecture)
        kinds = sorted({morph.kind for morph in found})
        if not kinds:
            break
        kind = kinds[int(rng.random() * len(kinds))]
        reached = [morph.architecture for morph in found if morph.kind == kind]
        architecture = reached[int(rng.random() * len(reached))]
    return architecture
