"""A Gaussian process of the losses in a history: what strategies share that differ in the kernel or the acquisition.

It learns from `lessons`: successes, and rejections of which it is known how far they are outside the constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.predictors.gaussian_process import GaussianProcess, Kernel
from archwright.strategies.models.refit import Refits, refit_length
from archwright.strategies.scalar import behind, bounded, lessons, scalarised, violations_of
from archwright.strategies.warping import half_rank

if TYPE_CHECKING:
    from numpy.random import Generator

Array = np.ndarray[Any, np.dtype[np.float64]]

Targets = Callable[[Sequence[Scored], "Generator"], Array]
"""targets(lessons, rng) -> what to model, one number each, smaller is better."""

MOST = 500
"""Evaluations that a process is conditioned on: the cost of a fit grows with their cube."""


def warped_losses(known: Sequence[Scored], rng: Generator) -> Array:
    """The `Targets` of a strategy for one objective: losses warped by `half_rank`; several objectives by ParEGO.

    Only what violates no constraint is warped; the others come behind that (`behind`).
    """
    violations = violations_of(known)
    return behind(half_rank(scalarised(known, rng)[violations == 0.0]), violations)


def refitted(
    space: SearchSpace, history: History, kernel: Kernel, targets: Targets, refits: Refits[Array], name: object = ""
) -> Array:
    """The parameters that suit the first n lessons best, n by `refit_length`; at least one lesson is needed.

    Args:
        refits: the strategy's cache.
        name: tells several processes of one strategy apart in the cache.
    """
    known = lessons(history)
    length = refit_length(len(known))

    def fit() -> Array:
        return GaussianProcess(kernel).fit(*_data(known[:length], targets)).parameters

    return refits(space, history, (name, length), fit)


def selected(
    space: SearchSpace, history: History, kernels: Sequence[Kernel], targets: Targets, refits: Refits[tuple[int, Array]]
) -> tuple[int, Array]:
    """The kernel, of several, of the largest marginal likelihood for the first n lessons: its place and parameters.

    For what of a kernel is whole-numbered, so that no gradient leads to it; else as `refitted`.
    """
    known = lessons(history)
    length = refit_length(len(known))

    def fit() -> tuple[int, Array]:
        data = _data(known[:length], targets)
        processes = [GaussianProcess(kernel).fit(*data) for kernel in kernels]
        best = max(range(len(processes)), key=lambda place: processes[place].likelihood)
        return best, processes[best].parameters

    return refits(space, history, length, fit)


def surrogate(
    history: History, known: Sequence[Scored], kernel: Kernel, values: Array, parameters: Array
) -> GaussianProcess:
    """Of architectures; conditioned on a value for each of the known lessons, and by the kriging believer on what is
    under way.

    Of more than `MOST` lessons the best half and the latest of the others count.
    """
    process = GaussianProcess(kernel).fit(*_subset(known, values), parameters)
    return process.believing([trial.architecture for trial in history.under_way.values()])


def _data(first: Sequence[Scored], targets: Targets) -> tuple[list[Any], Array]:
    """What parameters are fitted to: of the first n lessons what counts, and its values, which depend on n alone."""
    known = bounded(first)
    return _subset(known, targets(known, np.random.default_rng(seed_for("targets", len(first)))))


def _subset(known: Sequence[Scored], values: Array) -> tuple[list[Any], Array]:
    """What counts, and its values: no answer that repeats an earlier one, since it says nothing new."""
    first = [place for place, scored in enumerate(known) if scored.evaluation.reused is None]
    if first:  # none: a search that was started from another one's repetitions
        known, values = [known[place] for place in first], values[first]
    order = np.argsort(values, kind="stable")
    others = np.sort(order[MOST // 2 :])
    kept = np.sort(np.concatenate([order[: MOST // 2], others[-(MOST - MOST // 2) :]]))
    return [known[place].evaluation.trial.architecture for place in kept], values[kept]
