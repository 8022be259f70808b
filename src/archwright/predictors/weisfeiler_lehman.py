"""The Weisfeiler-Lehman kernel on architectures: Shervashidze et al., 2011; Ru, Wan, Dong and Osborne, 2021."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph

Array = np.ndarray[Any, np.dtype[np.float64]]


class WeisfeilerLehman:
    """The subtree kernel on architectures (Shervashidze et al., 2011, definition 5), equal to 1 for equal graphs.

    In each round a vertex takes as its new label its own, its predecessors' and its successors' (the graphs are
    directed). Two graphs are as alike as the counts of all labels of all rounds are: the cosine of the angle between
    them. The graph is `labelled_graph` without what only hands on or adds up, as in the authors' encoding of
    NAS-Bench-201: with sums and skips left in, two rounds see from one operation to the next and no further.
    """

    bounds: Sequence[tuple[float, float]] = ()

    def __init__(self, space: SearchSpace, rounds: int) -> None:
        self.space, self.rounds = space, rounds
        self._counts = lru_cache(maxsize=20_000)(
            lambda architecture: label_counts(labelled_graph(space, architecture).without(PASSING), rounds)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return WeisfeilerLehman, (self.space, self.rounds)  # what is remembered stays here

    def compare(self, left: Sequence[Architecture], right: Sequence[Architecture]) -> Array:
        """The kernel's matrix: it has no parameters to wait for. (left, right)."""
        counts = [self._counts(architecture) for architecture in (*left, *right)]
        columns, where = np.unique(np.concatenate([labels for labels, _ in counts]), return_inverse=True)
        starts = np.cumsum([0, *(len(labels) for labels, _ in counts)])
        rows = csr_matrix(
            (np.concatenate([values for _, values in counts]), where, starts), (len(counts), len(columns))
        )
        return np.asarray((rows[: len(left)] @ rows[len(left) :].T).toarray())

    def __call__(self, parameters: Array, pairs: Array) -> Array:
        """What `compare` returned: (left, right)."""
        return pairs


def label_counts(graph: Graph, rounds: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Array]:
    """The labels of all rounds, round 0 being the graph's own, and how often each occurs, scaled to length 1.

    A label of a later round is a 64-bit hash of what it is made of; two of them are mistaken for each other once in
    2**64 pairs.
    """
    before, after = graph.neighbours()
    labels = [_number(text) for text in graph.labels]
    found = list(labels)
    for _ in range(rounds):
        labels = [
            hash((own, tuple(sorted([labels[a] for a in ahead])), tuple(sorted([labels[b] for b in behind]))))
            for own, ahead, behind in zip(labels, before, after, strict=True)
        ]
        found += labels
    distinct, counts = np.unique(np.array(found, dtype=np.int64), return_counts=True)
    return distinct, counts / max(float(np.linalg.norm(counts)), 1.0)


@lru_cache(maxsize=65536)
def _number(text: str) -> int:
    return seed_for(text)  # the same in every process, as `hash` of a text is not
