"""Bayesian optimisation with a Gaussian process on conditional decisions: Swersky et al., 2013 (arc kernel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.predictors.arc import Arc
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import leading, maximised
from archwright.strategies.designs import latin_hypercube
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import refitted, surrogate, warped_losses
from archwright.strategies.scalar import bounded, lessons

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.gaussian_process import Array


@dataclass
class ArcKernel:
    """The candidate of the largest expected improvement under a Gaussian process with the arc kernel.

    Losses are warped by `half_rank`. Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        initial: points of the Latin hypercube that a search starts with.
        candidates: architectures in each round of the climb to the largest expected improvement.
        parents: how many of the best evaluations the climb starts from, beside random architectures.
        ard: learn one relevance a decision (the paper's omega_i) in place of one for all.
    """

    initial: int = 10
    candidates: int = 100
    parents: int = 5
    ard: bool = True
    _refits: Refits[Array] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A point of the design, then what the process expects to improve most."""
        if history.asked < self.initial:
            return Trial(latin_hypercube(space, rng, history.asked, self.initial))
        known = bounded(lessons(history))
        if not known:
            return Trial(sample(space, rng))
        losses = warped_losses(known, rng)
        kernel = Arc(space, ard=self.ard)
        parameters = refitted(space, history, kernel, warped_losses, self._refits)
        process = surrogate(history, known, kernel, losses, parameters)
        best = leading(known, losses, self.parents)

        def score(found: Sequence[Architecture]) -> Array:
            return log_expected_improvement(*process.predict(found), float(losses.min()))

        return Trial(maximised(space, history, rng, score, self.candidates, best) or sample(space, rng))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits()}
