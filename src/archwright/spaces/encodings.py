"""Architectures as vectors and as labelled graphs, derived from the declaration once for every space."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Open, Real, Repeat, Subset, to_unit
from archwright.core.protocols import SearchSpace
from archwright.spaces.graphs import PASSING, Graph, paths
from archwright.spaces.operators import opened
from archwright.spaces.space import Space, branches

BINS = 10
"""Into how many labels `labelled_graph` cuts the range of a number."""


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
                self._collect(tree.at(index), f"{name}[{index}]", after)
            return after | {id(tree)}
        if isinstance(tree, Choice | Integer | Real):
            self.slots[name] = tree
            if isinstance(tree, Subset):
                for index, item in enumerate(tree.items):
                    self._collect(item, f"{name}[{index}]", decided | {id(tree)})
            elif isinstance(tree, Choice):
                for text, option in zip(tree.labels, tree.options, strict=True):
                    self._collect(option, f"{name}={text}", decided | {id(tree)})
            return decided | {id(tree)}
        for suffix, part in branches(tree):
            decided = self._collect(part, name + suffix, decided)
        return decided


class PathEncoding:
    """Which sequences of operations lead from input to output: the path encoding (White, Neiswanger and Savani, 2021).

    A column a path, for each that one of the `known` architectures has, and a last one that counts an architecture's
    other paths: of these, whoever learns from the known ones has seen nothing. (The paper has a column for every path
    that there could be, which only small spaces can list.) What only hands on or adds up is no operation.

    Attributes:
        width: the vectors' length.
    """

    def __init__(self, space: SearchSpace, known: Iterable[Architecture]) -> None:
        self._space = space
        self._remember()
        found = sorted({path for architecture in known for path in self._paths(architecture)})
        self._columns = {path: column for column, path in enumerate(found)}
        self.width = len(found) + 1

    def __call__(self, architecture: Architecture) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The vector of an architecture: float64, (width,)."""
        vector = np.zeros(self.width)
        for path in self._paths(architecture):
            column = self._columns.get(path, self.width - 1)
            vector[column] += 1.0
        return vector

    def _remember(self) -> None:
        self._paths = lru_cache(maxsize=20_000)(
            lambda architecture: paths(labelled_graph(self._space, architecture).without(PASSING))
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_paths"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._remember()


def labelled_graph(space: SearchSpace, architecture: Architecture) -> Graph:
    """What an architecture computes, with every operation on a vertex: for models that compare or read graphs.

    That is the space's own graph, its labelled edges turned into vertices; nothing is simplified, `Graph.without` does
    that. For a space that has no graph, or whose graph fails, it is that of the decisions, see `decision_graph`.
    """
    graph = own_graph(space, architecture)
    return decision_graph(space, architecture) if graph is None else graph.operations_on_vertices()


def own_graph(space: SearchSpace, architecture: Architecture) -> Graph | None:
    """The space's own graph of an architecture; None if it says none, or fails."""
    try:
        graph: Graph | None = space.graph(architecture)  # type: ignore[attr-defined]
    except Exception:  # not every space says what it computes; and of a user's own that fails, the network will tell
        return None
    return graph


def decision_graph(space: SearchSpace, architecture: Architecture) -> Graph:
    """The decisions as a graph: a vertex each, from each an edge to the next and to those that its option opened.

    A label is the decision's name and what was decided: an option's label, or in which of `BINS` equal parts of its
    range a number lies. In names, the places in lists are left out, so that layers of a kind are labelled alike
    wherever they stand; their order is told by the edges. "input" and "output" are the ends.
    """
    labels, edges = ["input"], list[tuple[int, int, str]]()
    branch: dict[str, int] = {}  # what an open branch's names begin with, and the vertex that opened it
    for name, choice in opened(space, architecture):
        vertex, value = len(labels), architecture[name]
        if isinstance(choice, Choice):
            text = choice.labels[int(value)]
        else:
            text = str(min(int(BINS * to_unit(choice, value)), BINS - 1))
        labels.append(f"{_PLACE.sub('', name)}={text}")
        edges.append((vertex - 1, vertex, ""))
        opener = next((branch[start] for start in _starts(name) if start in branch), vertex - 1)
        if opener != vertex - 1:
            edges.append((opener, vertex, ""))
        branch[f"{name}={text}"] = vertex
        if isinstance(choice, Subset):
            branch[name] = vertex
        if name.endswith(".times"):  # a length opens all that is repeated
            branch[name.removesuffix(".times")] = vertex
    return Graph((*labels, "output"), (*edges, (len(labels) - 1, len(labels), "")))


_PLACE = re.compile(r"\[\d+\]")


def _starts(name: str) -> list[str]:
    """What a name begins with, up to each dot, bracket or its whole, the longest first."""
    return [name[: found.start()] for found in reversed(list(re.finditer(r"[.\[]", name)))]
