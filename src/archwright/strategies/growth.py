"""How networks grow: where a search by morphisms begins, and which children an architecture has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.spaces.morphing import Morph, has_morphs, morphs
from archwright.spaces.operators import first, moved, moves, neighbours, sample, trace

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
    if has_morphs(space):
        return morphs(space, architecture)
    return [Morph(CHANGE, neighbour) for neighbour in neighbours(space, architecture)]


def grown(space: SearchSpace, architecture: Architecture, steps: int, rng: Generator) -> Architecture:
    """An architecture after so many random morphisms: a kind is drawn, then one of that kind; fewer if none is left.

    In a space without any, after so many moves to a neighbour: of these, of which there may be thousands, only those
    are built that are drawn.
    """
    draw = _morphed if has_morphs(space) else _moved
    for _ in range(steps):
        child = draw(space, architecture, rng)
        if child is None:
            break
        architecture = child
    return architecture


def _morphed(space: SearchSpace, architecture: Architecture, rng: Generator) -> Architecture | None:
    found = morphs(space, architecture)
    kinds = sorted({morph.kind for morph in found})
    if not kinds:
        return None
    kind = kinds[int(rng.random() * len(kinds))]
    reached = [morph.architecture for morph in found if morph.kind == kind]
    return reached[int(rng.random() * len(reached))]


def _moved(space: SearchSpace, architecture: Architecture, rng: Generator) -> Architecture | None:
    return moved(space, architecture, moves(space, architecture), rng)
