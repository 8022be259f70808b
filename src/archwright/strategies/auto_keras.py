"""Auto-Keras: Bayesian optimisation of network morphisms (Jin, Song and Hu, 2018)."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph
from archwright.spaces.morphing import Morph
from archwright.spaces.operators import sample
from archwright.strategies.candidates import asked, new
from archwright.strategies.growth import children, seedling
from archwright.strategies.models.distances import Distances
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import refitted, surrogate, warped_losses
from archwright.strategies.scalar import bounded, lessons

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.gaussian_process import Array, GaussianProcess

Grow = Callable[[Architecture], list[Morph]]


@dataclass
class AutoKeras:
    """The network of the lowest confidence bound that a search through morphisms finds from the evaluated ones.

    A Gaussian process, whose kernel is a Gaussian of an edit distance between networks, models the losses (warped by
    `half_rank`; several objectives are made one, anew for each proposal). Its lower confidence bound is minimised by
    A* search with simulated annealing (algorithm 1): of all known networks the most promising is expanded, and what its
    morphisms reach is expanded later with a probability that falls with the temperature. A trial's parent is the
    evaluated network that its path began at, so that `Inherited` goes on from its weights. In a space without morphisms
    the path goes through neighbours. The search begins with the space's smallest network, where the authors' program
    has a fixed one of three layers.

    The paper's kernel has fixed parameters; here its width suits the losses best.

    Attributes:
        beta: deviations below the mean, 2.576 in the authors' program: the bound at 99 %.
        skips: lambda of the paper, what a difference of skip-connections counts beside one of layers: 1.
        neighbours: of each network that is expanded, so many of its children are looked at, drawn at random: 8, as in
            the authors' program. 0 is all of them.
        cooling: what the temperature, first 1, is multiplied with at each expansion: 0.9.
        coldest: the temperature at which the search for the minimum ends. With 0.01 a proposal has 44 expansions.
    """

    beta: float = 2.576
    skips: float = 1.0
    neighbours: int = 8
    cooling: float = 0.9
    coldest: float = 0.01
    _refits: Refits[Array] = field(default_factory=Refits, init=False, repr=False, compare=False)
    _kernels: Refits[EditDistance] = field(default_factory=Refits, init=False, repr=False, compare=False)
    _children: Refits[Grow] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (0.0 < self.cooling < 1.0 and 0.0 < self.coldest < 1.0):
            raise ArchwrightError(f"cooling and coldest lie between 0 and 1, not at {self.cooling} and {self.coldest}")

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """The smallest network, then what promises most."""
        if not history.succeeded:
            return Trial(sample(space, rng) if history.asked else seedling(space, rng))
        known = bounded(lessons(history))
        losses = warped_losses(known, rng)
        kernel = self._kernels(space, history, "kernel", lambda: EditDistance(space, self.skips))
        parameters = refitted(space, history, kernel, warped_losses, self._refits)
        process = surrogate(history, known, kernel, losses, parameters)
        trained = [place for place, scored in enumerate(known) if not scored.evaluation.rejected]
        found = self._explored(space, history, process, losses[trained], rng)
        best = next(new(space, history, sorted(found, key=lambda child: found[child][0])), None)
        return Trial(sample(space, rng)) if best is None else Trial(best, parent=found[best][1])

    def _explored(
        self, space: SearchSpace, history: History, process: GaussianProcess, losses: Array, rng: Generator
    ) -> dict[Architecture, tuple[float, int]]:
        """Algorithm 1: what morphisms reached, each with its bound and the evaluation from which the path began."""
        queue = [
            (float(loss), place, scored.evaluation.trial.architecture, scored.position)
            for place, (loss, scored) in enumerate(zip(losses, history.succeeded, strict=True))
        ]
        heapq.heapify(queue)
        grow = self._children(space, history, "children", lambda: lru_cache(maxsize=2_000)(partial(children, space)))
        known, lowest, temperature = asked(history), float(losses.min()), 1.0
        found: dict[Architecture, tuple[float, int]] = {}
        while queue and temperature > self.coldest:
            temperature *= self.cooling
            _, _, parent, origin = heapq.heappop(queue)
            reached = [morph.architecture for morph in grow(parent) if morph.architecture not in known]
            if self.neighbours:
                reached = [reached[place] for place in rng.permutation(len(reached))[: self.neighbours]]
            known.update(reached)
            if not reached:
                continue
            mean, std = process.predict(reached)
            for child, bound in zip(reached, (mean - self.beta * std).tolist(), strict=True):
                found[child] = bound, origin
                if np.log1p(-rng.random()) < (lowest - bound) / temperature:
                    heapq.heappush(queue, (bound, len(losses) + len(found), child, origin))
                lowest = min(lowest, bound)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits(), "_kernels": Refits(), "_children": Refits()}


SETS = 8
"""Sets of each size in the embedding; of n items the theorem asks for the order of log n."""
MOST_SIZES = 16
"""Up to which sets become smaller: enough for 32,768 known networks."""

Kind = tuple[str, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Layers:
    """A network as the distance sees it.

    Attributes:
        kinds: of its layers in topological order: each label without numbers, and the numbers in it, such as a width.
        skips: connections that pass a layer by: where each begins, and how many layers it spans: (skips, 2).
    """

    kinds: tuple[Kind, ...]
    skips: Array

    @classmethod
    def of(cls, graph: Graph) -> Layers:
        """Of a labelled graph."""
        before: dict[int, list[int]] = {vertex: [] for vertex in range(len(graph.labels))}
        for source, target, _ in graph.edges:
            before[target].append(source)
        order = list(TopologicalSorter(before).static_order())
        rank = {vertex: place for place, vertex in enumerate(order)}
        spans = sorted((rank[source], rank[target] - rank[source]) for source, target, _ in graph.edges)
        labels = [graph.labels[vertex] for vertex in order]
        return cls(
            tuple((_NUMBER.sub("", label), tuple(map(float, _NUMBER.findall(label)))) for label in labels),
            np.array([span for span in spans if span[1] > 1], dtype=float).reshape(-1, 2),
        )


class EditDistance:
    """The kernel exp(-(d / width)²) on architectures, d an embedding of the paper's edit distance.

    The edit distance is none between points of a Euclidean space, so that its Gaussian would not be positive definite.
    As in the paper, networks become points by their distances to random sets of the known ones (`embedded`).
    """

    bounds: Sequence[tuple[float, float]] = ((0.1, 30.0),)

    def __init__(self, space: SearchSpace, skips: float) -> None:
        self.skips = skips
        self._distances: Distances[Architecture, Layers] = Distances(
            lambda architecture: Layers.of(labelled_graph(space, architecture).without(PASSING)),
            lambda one, others: distances(one, others, skips),
        )

    def compare(self, left: Sequence[Architecture], right: Sequence[Architecture]) -> Array:
        """The distances of the points that stand for the networks: (left, right). What is known is on the left."""
        inside = self._distances(left, left)
        ours = embedded(inside)
        theirs = ours if left is right else embedded(self._distances(left, right))
        return np.asarray(cdist(ours, theirs))

    def __call__(self, parameters: Array, pairs: Array) -> Array:
        """The only parameter is the width: (left, right)."""
        return np.asarray(np.exp(-((pairs / parameters[0]) ** 2)))


def embedded(distances: Array) -> Array:
    """Points whose Euclidean distances are near the given ones: (items, coordinates).

    A coordinate is the distance to the nearest of a random set of known items. Sets of each expected size, all, half, a
    quarter, ... and one, are drawn `SETS` times (Bourgain, 1985; Linial, London and Rabinovich, 1995, section 3). As
    more becomes known, what was known stays in its sets.

    Args:
        distances: (known, items).
    """
    known = len(distances)
    sizes = int(np.ceil(np.log2(known))) + 1
    drawn = np.random.default_rng(seed_for("embedding")).random((known, MOST_SIZES, SETS))
    inside = drawn[:, :sizes] < 0.5 ** np.arange(sizes)[:, None]
    sets = inside.reshape(known, -1).T
    nearest = [distances[members].min(axis=0) for members in sets[sets.any(axis=1)]]
    return np.asarray(np.stack(nearest, axis=1) / np.sqrt(len(nearest)))


def distances(one: Layers, others: Sequence[Layers], skips: float) -> Array:
    """The edit distances from one network to others: those of layers, plus `skips` times those of skip-connections."""
    return layers_distances(one, others) + skips * np.array(
        [skips_distance(one.skips, other.skips) for other in others]
    )


def layers_distances(one: Layers, others: Sequence[Layers]) -> Array:
    """What it takes to make the layers of one network those of others, in their order: (others,).

    To insert or delete a layer costs 1; to change one, see `layer_distance`. (The usual dynamic programme, for all
    others at once, a row at a time: along a row, insertions are a running minimum.)
    """
    longest = max(len(other.kinds) for other in others)
    columns, number = np.arange(longest + 1.0), dict[Kind, int]()
    places = np.full((len(others), longest), -1)  # the last column of `costs`, where another network has ended
    for place, other in zip(places, others, strict=True):
        place[: len(other.kinds)] = [number.setdefault(kind, len(number)) for kind in other.kinds]
    costs = np.array([[layer_distance(kind, other) for other in number] + [1.0] for kind in one.kinds])
    row = np.tile(columns, (len(others), 1))
    for done in range(len(one.kinds)):
        reached = np.minimum(row[:, 1:] + 1.0, row[:, :-1] + costs[done][places])
        row = np.hstack([np.full((len(others), 1), done + 1.0), reached])
        row = np.minimum.accumulate(row - columns, axis=1) + columns
    return row[np.arange(len(others)), [len(other.kinds) for other in others]]


@lru_cache(maxsize=200_000)
def layer_distance(left: Kind, right: Kind) -> float:
    """What it costs to change a layer into another: 1 for one of another kind.

    Of one kind it is the relative difference |a - b| / max(a, b) of the widths; a label can have more
    numbers than that, and the one that differs most counts.
    """
    (name, numbers), (other, others) = left, right
    if name != other or len(numbers) != len(others):
        return 1.0
    return max((abs(a - b) / max(a, b) for a, b in zip(numbers, others, strict=True) if a != b), default=0.0)


def skips_distance(left: Array, right: Array) -> float:
    """What it takes to turn skip-connections into others: the cheapest matching, and 1 for each that is over.

    Matched ones differ by where they begin and by how many layers they span, relative to the larger of each.
    """
    over = abs(len(left) - len(right))
    if not (len(left) and len(right)):
        return float(over)
    apart = np.abs(left[:, None] - right[None]).sum(axis=-1)
    costs = apart / np.maximum(left[:, None], right[None]).sum(axis=-1)
    return float(costs[linear_sum_assignment(costs)].sum()) + over


_NUMBER = re.compile(r"\d+(?:\.\d+)?")
