"""Architectures as vectors, derived from the declaration once for every space."""

from __future__ import annotations

from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Open, Real, Repeat, to_unit
from archwright.spaces.space import Space, branches


class OneHot:
    """Vectors of one length for all architectures of a space, conditional decisions included.

    A Choice takes a column an option, 1 for the one taken. An Integer or a Real takes two columns: whether it was
    decided, and where in its range (0 to 1, in the logarithm for `log`). What a branch not taken would have decided
    is all zeros.

    Attributes:
        slots: every decision that some architecture makes, by name, in the order of the declaration.
        width: the vectors' length.
    """

    def __init__(self, space: Space) -> None:
        self.slots: dict[str, Open] = {}
        decided: frozenset[int] = frozenset()
        for name, tree in space.choices.items():
            decided = self._collect(tree, name, decided)
        self._start: dict[str, int] = {}
        self.width = 0
        for name, choice in self.slots.items():
            self._start[name] = self.width
            self.width += len(choice.options) if isinstance(choice, Choice) else 2

    def __call__(self, architecture: Architecture) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The vector of an architecture: float64, (width,)."""
        vector = np.zeros(self.width)
        for name, value in architecture:
            choice, start = self.slots[name], self._start[name]
            if isinstance(choice, Choice):
                vector[start + int(value)] = 1.0
            else:
                vector[start : start + 2] = 1.0, to_unit(choice, value)
        return vector

    def _collect(self, tree: Any, name: str, decided: frozenset[int]) -> frozenset[int]:
        """Notes the decisions in `tree`; returns the shared objects that are decided after it in any case."""
        if isinstance(tree, Choice | Integer | Real | Repeat) and id(tree) in decided:
            return decided
        if isinstance(tree, Repeat):
            after = self._collect(tree.times, f"{name}.times", decided)
            most = tree.times.high if isinstance(tree.times, Integer) else tree.times
            for index in range(most):
                self._collect(tree.body, f"{name}[{index}]", after)
            return after | {id(tree)}
        if isinstance(tree, Choice | Integer | Real):
            self.slots[name] = tree
            if isinstance(tree, Choice):
                for text, option in zip(tree.labels, tree.options, strict=True):
                    self._collect(option, f"{name}={text}", decided | {id(tree)})
            return decided | {id(tree)}
        for suffix, part in branches(tree):
            decided = self._collect(part, name + suffix, decided)
        return decided
