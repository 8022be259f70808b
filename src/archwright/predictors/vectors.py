"""Architectures as the rows of a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice
from archwright.spaces.encodings import OneHot, PathEncoding, labelled_graph, own_graph
from archwright.spaces.operators import lengths
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


class Encoding(Protocol):
    """Vectors of one length, such as those of `spaces.encodings`."""

    width: int

    def __call__(self, architecture: Architecture) -> Array:
        """The vector of an architecture: (width,)."""
        ...


def rows(encode: Encoding, architectures: Sequence[Architecture]) -> Array:
    """A row an architecture, none included: (m, width)."""
    return np.array([encode(architecture) for architecture in architectures]).reshape(len(architectures), encode.width)


def encoding(space: Space, known: Sequence[Architecture]) -> Encoding:
    """Paths where they can be learned from, else the decisions.

    Where a space says no graph, or decides numbers (so that paths seldom recur), vectors are one-hot.
    """
    decisions, repeated = OneHot(space), lengths(space)
    numbers = any(not isinstance(choice, Choice) and id(choice) not in repeated for choice in decisions.slots.values())
    return decisions if numbers or own_graph(space, known[0]) is None else PathEncoding(space, known)


class Operations:
    """How often each operation occurs in what an architecture computes: a column a label that a known one has."""

    def __init__(self, space: Space, known: Sequence[Architecture]) -> None:
        self.space = space
        found = sorted({label for one in known for label in labelled_graph(space, one).labels})
        self.columns = {label: column for column, label in enumerate(found)}
        self.width = len(found)

    def __call__(self, architecture: Architecture) -> Array:
        """The vector of an architecture: (width,)."""
        vector = np.zeros(self.width)
        for label in labelled_graph(self.space, architecture).labels:
            if label in self.columns:
                vector[self.columns[label]] += 1.0
        return vector


class Everything:
    """All that can be read side by side: decisions, and where a space says graphs, operations and paths.

    For models that pick columns. A tree on decisions has to learn for each place anew what an operation is worth.
    """

    def __init__(self, space: Space, known: Sequence[Architecture]) -> None:
        self.parts: list[Encoding] = [OneHot(space)]
        if own_graph(space, known[0]) is not None:
            self.parts.append(Operations(space, known))
        if isinstance(paths := encoding(space, known), PathEncoding):
            self.parts.append(paths)
        self.width = sum(part.width for part in self.parts)

    def __call__(self, architecture: Architecture) -> Array:
        """The vector of an architecture: (width,)."""
        return np.concatenate([part(architecture) for part in self.parts])
