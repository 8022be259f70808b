"""NASBOT: Bayesian optimisation with optimal transport between networks (Kandasamy et al., 2018)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph
from archwright.spaces.operators import mutate, sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import asked, choose
from archwright.strategies.models.distances import Distances
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import refitted, surrogate, warped_losses
from archwright.strategies.scalar import bounded, lessons

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.gaussian_process import Array, GaussianProcess

EDITS = (0.5, 0.25, 0.125, 0.075, 0.05)
"""How probable one, two, ... edits are in a mutation (appendix C)."""
END = 0.1
"""The mass of the input, and of the output, as a share of all other layers' (section 3.1)."""
NUMBERS = 6
"""How many of the numbers in a label are compared."""
SIZES = 0.1 * 2**0.5
"""What differing sizes cost, times the root of the difference: 0.2 for kernels of 3 and 5 (table 1)."""
KINDS = ("conv", "pool", "dense")
"""Layers of one kind can stand for each other; all others only if their labels differ in numbers alone."""
OTHER = 0.25
"""What different layers of one kind cost: table 1 has it for maximum and average pooling."""


@dataclass
class NASBOT:
    """The architecture of the largest expected improvement under a Gaussian process on OTMANN distances.

    The acquisition is maximised by evolution (appendix C): parents are drawn with probability proportional to the
    exponential of their standardised fitness, and mutated by 1 to 5 edits, an edit being a change of one decision. The
    first generation's parents are the evaluated architectures by their losses, a later one's the earlier offspring by
    their expected improvement. Losses are warped by `half_rank`; several objectives are made one, anew for each
    proposal (ParEGO). Needs the extra `ot`.

    Attributes:
        initial: random architectures that a search starts with.
        generations: of the evolution. The paper evolves on; on NAS-Bench-201 a second generation took twice the time
            and found no more (mean test accuracy 94.12 after it, 94.27 without, 30 seeds).
        offspring: in a generation; the distance of each to the whole history is computed.
        structure: nu of the paper, what a difference of one in path lengths costs. The authors' program sums over 0.1,
            0.2, 0.4 and 0.8 with a parameter each, at four times the cost.
    """

    initial: int = 10
    generations: int = 1
    offspring: int = 50
    structure: float = 0.4
    _refits: Refits[Array] = field(default_factory=Refits, init=False, repr=False, compare=False)
    _kernels: Refits[OTMANN] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first trials, then what the process expects to improve most.

        Raises:
            ArchwrightError: the optional package POT is missing.
        """
        _transport()
        known = bounded(lessons(history))
        if history.asked < self.initial or not known:
            return Trial(sample(space, rng))
        losses = warped_losses(known, rng)
        kernel = self._kernels(space, history, "kernel", lambda: OTMANN(space, self.structure))
        parameters = refitted(space, history, kernel, warped_losses, self._refits)
        process = surrogate(history, known, kernel, losses, parameters)
        found, scores = self._evolve(space, history, known, process, losses, rng)
        return Trial(choose(space, history, found, scores) or sample(space, rng))

    def _evolve(
        self,
        space: SearchSpace,
        history: History,
        known: Sequence[Scored],
        process: GaussianProcess,
        losses: Array,
        rng: Generator,
    ) -> tuple[list[Architecture], Array]:
        """All offspring that were never asked about, and the logarithm of the improvement expected of each."""
        taken = asked(history)
        parents, fitness = [scored.evaluation.trial.architecture for scored in known], -losses
        found: list[Architecture] = []
        scores = np.zeros(0)
        for _ in range(self.generations):
            born: dict[Architecture, None] = {}
            for place in rng.choice(len(parents), self.offspring, p=_probabilities(fitness)):
                child = parents[place]
                for _ in range(1 + int(rng.choice(len(EDITS), p=EDITS))):
                    child = mutate(space, child, rng)
                if child not in taken:
                    born[child] = None
            if born:
                taken |= born.keys()
                found += born
                worth = log_expected_improvement(*process.predict(list(born)), float(losses.min()))
                scores = np.append(scores, worth)
                parents, fitness = found, np.exp(scores - scores.max())
        return found, scores

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits(), "_kernels": Refits()}


@dataclass(frozen=True, eq=False)
class Layers:
    """A labelled graph as the distance sees it, one row a vertex.

    Attributes:
        kinds: what can stand for each other, as text; names: what is the same but for numbers.
        numbers: in the label, the first `NUMBERS`, 0 where there are fewer.
        masses: 1 a layer, since a graph does not tell its layers' units; `END` times their sum for each end.
        lengths: of the shortest, longest and mean random path from the input, and of those to the output: (n, 6).
    """

    kinds: np.ndarray[Any, np.dtype[np.str_]]
    names: np.ndarray[Any, np.dtype[np.str_]]
    numbers: Array
    masses: Array
    lengths: Array

    @classmethod
    def of(cls, graph: Graph) -> Layers:
        """Of a graph; its ends are the vertices that nothing enters or nothing leaves."""
        before, after = graph.neighbours()
        names = [re.sub(r"\d", "", re.split(r"[(/@]", text)[0]) for text in graph.labels]
        kinds = [next((kind for kind in KINDS if kind in name), name) for name in names]
        numbers = np.zeros((len(names), NUMBERS))
        for row, text in zip(numbers, graph.labels, strict=True):
            values = [float(value) for value in re.findall(r"\d+(?:\.\d+)?", text)[:NUMBERS]]
            row[: len(values)] = values
        inner = np.array([bool(ahead and behind) for ahead, behind in zip(before, after, strict=True)], dtype=bool)
        masses = np.where(inner, 1.0, END * max(int(inner.sum()), 1))
        order = _sorted(before, after)
        lengths = np.hstack([_lengths(order, before), _lengths(order[::-1], after)])
        return cls(np.array(kinds), np.array(names), numbers, masses, lengths)


class OTMANN:
    """The kernel alpha exp(-beta d) + (1 - alpha) exp(-beta' d'^2) on architectures (equation 5).

    d is the distance of `distances`, d' its share of all mass. The powers 1 and 2 are the authors'. The graph is
    `labelled_graph` without what only hands on or adds up: those are no layers. The matrix need not be positive
    definite; `GaussianProcess` raises its diagonal then.
    """

    bounds: Sequence[tuple[float, float]] = ((0.01, 0.99), (1e-3, 10.0), (0.1, 100.0))

    def __init__(self, space: SearchSpace, structure: float) -> None:
        self.structure = structure
        self._distances: Distances[Architecture, Layers] = Distances(
            lambda architecture: Layers.of(labelled_graph(space, architecture).without(PASSING)),
            lambda one, others: distances(one, others, structure),
        )

    def compare(self, left: Sequence[Architecture], right: Sequence[Architecture]) -> tuple[Array, Array]:
        """The distances d and d': (left, right) each."""
        far = self._distances(left, right)
        masses = [[self._distances.see(item).masses.sum() for item in items] for items in (left, right)]
        return far, far / np.add.outer(*masses)

    def __call__(self, parameters: Array, pairs: tuple[Array, Array]) -> Array:
        """alpha, beta and beta' are the parameters: (left, right)."""
        share, near, normalised = parameters
        return np.asarray(share * np.exp(-near * pairs[0]) + (1.0 - share) * np.exp(-normalised * pairs[1] ** 2))


def distances(one: Layers, others: Sequence[Layers], structure: float) -> Array:
    """The OTMANN distances of one graph to others (section 3.2): (others,).

    The least cost of matching the layers' masses, where what is not matched costs 1 a unit on either side. Matching two
    layers costs the mismatch of their labels, plus `structure` times the mean difference of their six path lengths.
    Labels of one kind mismatch by their names (`OTHER`) and their numbers (`SIZES`), others may not be matched at all.
    """
    kinds, names, numbers, lengths = (
        np.concatenate([getattr(other, part) for other in others]) for part in ("kinds", "names", "numbers", "lengths")
    )
    sizes = np.sqrt(np.abs(one.numbers[:, None] - numbers).sum(axis=-1))
    costs = SIZES * sizes + OTHER * (one.names[:, None] != names)
    costs += structure * np.abs(one.lengths[:, None] - lengths).mean(axis=-1)
    # Leaving both unmatched costs 2: whatever is dearer, or not allowed, may as well cost that.
    costs = np.where(one.kinds[:, None] == kinds, np.minimum(costs, 2.0), 2.0)
    transport, found, start = _transport(), np.empty(len(others)), 0
    for place, other in enumerate(others):
        end = start + len(other.masses)
        bordered = np.ones((len(one.masses) + 1, len(other.masses) + 1))  # the last of each is "unmatched"
        bordered[:-1, :-1], bordered[-1, -1] = costs[:, start:end], 0.0
        supply, demand = np.append(one.masses, other.masses.sum()), np.append(other.masses, one.masses.sum())
        found[place] = transport(supply, demand, bordered, 100_000, 1)[1]
        start = end
    return np.maximum(found, 0.0).round(9)  # so that rounding does not depend on which of the two is `one`


@lru_cache(maxsize=1)
def _transport() -> Any:
    """POT's exact solver; `ot.emd2` is the same behind checks that take ten times as long as such small problems do."""
    try:
        from ot.lp.emd_wrap import emd_c  # type: ignore[import-untyped]
    except ImportError:
        raise ArchwrightError("NASBOT needs POT for optimal transport: pip install 'archwright[ot]'") from None
    return emd_c


def _probabilities(fitness: Array) -> Array:
    weights = np.exp((fitness - fitness.max()) / (float(fitness.std()) or 1.0))
    return np.asarray(weights / weights.sum())


def _sorted(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """The vertices, each after all that lead to it (Kahn, 1962)."""
    waiting = [len(ahead) for ahead in before]
    order = [vertex for vertex, count in enumerate(waiting) if not count]
    for vertex in order:
        for following in after[vertex]:
            waiting[following] -= 1
            if not waiting[following]:
                order.append(following)
    return order


def _lengths(order: list[int], before: list[list[int]]) -> Array:
    """Of the shortest, longest and mean random path from each vertex back to one that nothing enters: (n, 3)."""
    lengths = np.zeros((len(before), 3))
    for vertex in order:
        if before[vertex]:
            ahead = lengths[before[vertex]]
            lengths[vertex] = 1.0 + ahead[:, 0].min(), 1.0 + ahead[:, 1].max(), 1.0 + ahead[:, 2].mean()
    return lengths
