"""NAS-BOWL: Bayesian optimisation with a Weisfeiler-Lehman graph kernel (Ru, Wan, Dong and Osborne, 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.predictors.weisfeiler_lehman import WeisfeilerLehman
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import candidates, choose, leading
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import selected, surrogate, warped_losses
from archwright.strategies.scalar import bounded, lessons

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
        known = bounded(lessons(history))
        if history.asked < self.initial or not known:
            return Trial(sample(space, rng))
        losses = warped_losses(known, rng)
        kernels = self._of(space)
        place, parameters = selected(space, history, kernels, warped_losses, self._refits)
        process = surrogate(history, known, kernels[place], losses, parameters)
        best = leading(known, losses, self.parents)
        found = candidates(space, history, rng, self.candidates, best)
        scores = log_expected_improvement(*process.predict(found), float(losses.min()))
        return Trial(choose(space, history, found, scores) or sample(space, rng))

    def _of(self, space: SearchSpace) -> list[WeisfeilerLehman]:
        if self._kernels is None or self._kernels[0] is not space:
            self._kernels = space, [WeisfeilerLehman(space, rounds) for rounds in range(1, self.rounds + 1)]
        return self._kernels[1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits(), "_kernels": None}
