"""NAS-BOWL: Bayesian optimisation with a Weisfeiler-Lehman graph kernel (Ru, Wan, Dong and Osborne, 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import candidates, choose, leading
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import selected, surrogate, warped_losses

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.gaussian_process import Array


@dataclass
class NASBOWL:
    """The candidate of the largest expected improvement under a Gaussian process with a Weisfeiler-Lehman kernel.

    The kernel's number of rounds, 1 to `rounds`, is the one of the largest marginal likelihood (section 3.1 of the
    paper). Numbers are those of the authors' program, with the subtree kernel that it uses on NAS-Bench-201 (elsewhere
    it uses the optimal-assignment kernel), but for what follows, each measured there. Losses are warped by `half_rank`
    in place of the logarithm of the error, which needs a metric that is an error, and under which one search in three
    missed the optimum. One candidate is evaluated at a time, not five; ten random architectures begin, not thirty: both
    make little difference. Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        initial: random architectures that a search starts with.
        candidates: architectures that the acquisition compares for each proposal, half of them mutants of the best.
        parents: how many of the best are mutated.
        rounds: the most rounds of the kernel.
    """

    initial: int = 10
    candidates: int = 100
    parents: int = 10
    rounds: int = 2
    _refits: Refits[tuple[int, Array]] = field(default_factory=Refits, init=False, repr=False, compare=False)
    _kernels: tuple[SearchSpace, list[WeisfeilerLehman]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first trials, then what the process expects to improve most."""
        if history.asked < self.initial or not history.succeeded:
            return Trial(sample(space, rng))
        losses = warped_losses(history.succeeded, rng)
        kernels = self._of(space)
        place, parameters = selected(space, history, kernels, warped_losses, self._refits)
        process = surrogate(history, kernels[place], losses, parameters)
        best = leading(history, losses, self.parents)
        found = candidates(space, history, rng, self.candidates, best)
        scores = log_expected_improvement(*process.predict(found), float(losses.min()))
        return Trial(choose(space, history, found, scores) or sample(space, rng))

    def _of(self, space: SearchSpace) -> list[WeisfeilerLehman]:
        if self._kernels is None or self._kernels[0] is not space:
            self._kernels = space, [WeisfeilerLehman(space, rounds) for rounds in range(1, self.rounds + 1)]
        return self._kernels[1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits(), "_kernels": None}


class WeisfeilerLehman:
    """The subtree kernel on architectures (Shervashidze et al., 2011, definition 5), equal to 1 for equal graphs.

    In each round a vertex takes as its new label its own, its predecessors' and its successors' (the graphs are
    directed). Two graphs are as alike as the counts of all labels of all rounds are: the cosine of the angle between
    them. The graph is `labelled_graph` without what only hands on or adds up, as in the authors' encoding of
    NAS-Bench-201: with sums and skips left in, two rounds see from one operation to the next and no further.
    """

    bounds: Sequence[tuple[float, float]] = ()

    def __init__(self, space: SearchSpace, rounds: int) -> None:
        self.rounds = rounds
        self._counts = lru_cache(maxsize=20_000)(
            lambda architecture: label_counts(labelled_graph(space, architecture).without(PASSING), rounds)
        )

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
