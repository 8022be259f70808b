"""Exact Gaussian-process regression with any kernel over any items (Rasmussen and Williams, 2006, algorithm 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import cho_solve, cholesky, eigvalsh, solve_triangular
from scipy.optimize import minimize

from archwright.core.rng import seed_for

if TYPE_CHECKING:
    from numpy.random import Generator

Array = np.ndarray[Any, np.dtype[np.float64]]

AMPLITUDE = (0.05, 20.0)
"""Bounds of the prior variance, for standardised targets."""
NOISE = (1e-4, 1.0)
"""Bounds of the noise's variance, for standardised targets."""
JITTER = 1e-10
"""Share of the amplitude that is added to the diagonal, so that equal items don't make the Gram matrix singular."""
LEAST = 1e-8
"""The smallest eigenvalue of a Gram matrix that had to be raised, in shares of its mean diagonal, where there is less
noise than that."""
ITERATIONS = 30
"""Of the optimiser: what comes later changes predictions little."""
STEP = 1e-6
"""Of the differences that give a kernel's derivatives, in the logarithm of a parameter."""


class Kernel(Protocol):
    """How alike two items are: 1 for an item and itself, whatever the parameters.

    Its matrix need not be positive semi-definite: elsewhere `GaussianProcess` raises the diagonal, as if each item
    varied by so much for itself.
    """

    @property
    def bounds(self) -> Sequence[tuple[float, float]]:
        """Of each parameter, in natural units and above 0; they are optimised in the logarithm."""
        ...

    def compare(self, left: Sequence[Any], right: Sequence[Any]) -> Any:
        """What of the pairs does not depend on the parameters, such as their distances: computed once a fit."""
        ...

    def __call__(self, parameters: Array, pairs: Any) -> Array:
        """The kernel's matrix (left, right) from the parameters (in natural units) and what `compare` returned."""
        ...


@dataclass
class GaussianProcess:
    """y = mean + spread * f(x) + noise, f ~ GP(0, amplitude * kernel).

    The kernel's parameters, the amplitude and the noise maximise the marginal likelihood (L-BFGS-B from the middle of
    the bounds and from `restarts` further points). Its gradient is exact in all but the kernel's own derivatives,
    which are differences: a kernel is a plain function, and a step of the optimiser costs one Cholesky.

    Attributes:
        kernel: over the items.
        restarts: further starts of the optimiser, drawn once and for all.
        parameters: what the last fit found: the kernel's, then amplitude and noise (variances, for standardised y).
        likelihood: the logarithm of the marginal likelihood of the standardised targets at `parameters`.
    """

    kernel: Kernel
    restarts: int = 1

    def fit(self, items: Sequence[Any], targets: Array, parameters: Array | None = None) -> GaussianProcess:
        """Conditions on the targets (n,), n >= 1, and returns itself; `parameters` of an earlier fit are kept as given.

        Refitting the parameters is what costs: keep those of an earlier fit where the data have hardly grown.
        """
        self._mean, self._spread = float(np.mean(targets)), float(np.std(targets)) or 1.0
        standardised = (np.asarray(targets, dtype=float) - self._mean) / self._spread
        return self._condition(list(items), standardised, parameters)

    def predict(self, items: Sequence[Any]) -> tuple[Array, Array]:
        """Mean and standard deviation of the function without noise at each item, in the targets' units: (m,), (m,).

        An item is taken for a new one: with an indefinite kernel, one that is known isn't known better than that.
        """
        mean, reduced = self._reduced(items)
        variance = self.parameters[-2] + self._lift - np.einsum("nm,nm->m", reduced, reduced)
        return mean, np.sqrt(np.maximum(variance, 1e-12)) * self._spread

    def posterior(self, items: Sequence[Any]) -> tuple[Array, Array]:
        """Mean and covariance of the function without noise at the items, in the targets' units: (m,), (m, m)."""
        mean, reduced = self._reduced(items)
        prior = self.parameters[-2] * self.kernel(self.parameters[:-2], self.kernel.compare(items, items))
        prior[np.diag_indices_from(prior)] += self._lift
        return mean, (prior - reduced.T @ reduced) * self._spread**2

    def sample(self, items: Sequence[Any], rng: Generator, count: int = 1) -> Array:
        """Functions drawn from the posterior, at the items: (count, m)."""
        mean, covariance = self.posterior(items)
        values, vectors = np.linalg.eigh(covariance)  # stands what rounding makes slightly indefinite
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(mean + rng.standard_normal((count, len(mean))) @ root.T)

    def believing(self, items: Sequence[Any]) -> GaussianProcess:
        """The same process, conditioned also on its own mean at the items: the kriging believer.

        For trials that are pending (Ginsbourger, Le Riche and Carraro, 2010): the mean stays what it is, and the
        uncertainty around them is gone, so that the next proposal goes elsewhere.
        """
        if not items:
            return self
        believer = GaussianProcess(self.kernel, self.restarts)
        believer._mean, believer._spread = self._mean, self._spread
        believed = (self.predict(items)[0] - self._mean) / self._spread
        return believer._condition([*self._items, *items], np.append(self._targets, believed), self.parameters)

    def _condition(self, items: list[Any], targets: Array, parameters: Array | None) -> GaussianProcess:
        self._items, self._targets = items, targets
        pairs = self.kernel.compare(items, items)
        self.parameters = self._optimised(pairs) if parameters is None else np.asarray(parameters, dtype=float)
        gram = self._gram(self.kernel(self.parameters[:-2], pairs), self.parameters)
        self._factor, self._weights, self._lift = self._factored(gram, float(self.parameters[-1]))
        self.likelihood = self._likelihood(self._factor, self._weights)
        return self

    def _reduced(self, items: Sequence[Any]) -> tuple[Array, Array]:
        """The posterior mean (m,), and L^-1 k(train, items), whose squares are what the data take from the variance."""
        cross = self.parameters[-2] * self.kernel(self.parameters[:-2], self.kernel.compare(self._items, items))
        reduced: Array = solve_triangular(self._factor, cross, lower=True, check_finite=False)
        mean: Array = self._mean + self._spread * (self._weights @ cross)
        return mean, reduced

    def _gram(self, like: Array, parameters: Array) -> Array:
        gram: Array = parameters[-2] * like
        gram[np.diag_indices_from(gram)] += parameters[-1] + JITTER * parameters[-2]
        return gram

    def _factored(self, gram: Array, noise: float) -> tuple[Array, Array, float]:
        """The Cholesky factor L, the weights K^-1 y, and by how much the diagonal was raised.

        Where the Gram matrix is not positive definite, its diagonal is raised until the noise is its smallest
        eigenvalue, as it would be if the kernel were positive semi-definite.
        """
        lift = 0.0
        try:
            factor: Array = cholesky(gram, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            smallest = float(eigvalsh(gram, subset_by_index=(0, 0))[0])
            least = max(noise, LEAST * float(np.mean(np.diag(gram))))
            lift = least - smallest
            factor = cholesky(gram + lift * np.eye(len(gram)), lower=True, check_finite=False)
        return factor, cho_solve((factor, True), self._targets, check_finite=False), lift

    def _likelihood(self, factor: Array, weights: Array) -> float:
        constant = 0.5 * len(weights) * np.log(2.0 * np.pi)
        return float(-0.5 * self._targets @ weights - np.log(np.diag(factor)).sum() - constant)

    def _optimised(self, pairs: Any) -> Array:
        bounds = np.log(np.array([*self.kernel.bounds, AMPLITUDE, NOISE], dtype=float))
        rng = np.random.default_rng(seed_for("restarts", len(bounds)))
        starts = [bounds.mean(axis=1), *rng.uniform(bounds[:, 0], bounds[:, 1], size=(self.restarts, len(bounds)))]
        found = [
            minimize(
                self._objective,
                start,
                args=(pairs,),
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options={"maxiter": ITERATIONS},
            )
            for start in starts
        ]
        return np.asarray(np.exp(min(found, key=lambda result: float(result.fun)).x))

    def _objective(self, logs: Array, pairs: Any) -> tuple[float, Array]:
        """The negative logarithm of the marginal likelihood and its gradient (equation 5.9)."""
        parameters = np.exp(logs)
        like = self.kernel(parameters[:-2], pairs)
        factor, weights, _ = self._factored(self._gram(like, parameters), float(parameters[-1]))
        inverse = cho_solve((factor, True), np.eye(len(like)), check_finite=False)
        pull = np.outer(weights, weights) - inverse  # the derivative by the Gram matrix, twice
        gradient = np.empty(len(logs))
        for place in range(len(logs) - 2):
            moved = logs[:-2].copy()
            moved[place] += STEP
            gradient[place] = np.vdot(pull, self.kernel(np.exp(moved), pairs) - like) * parameters[-2] / STEP
        gradient[-2] = np.vdot(pull, like) * parameters[-2]
        gradient[-1] = np.trace(pull) * parameters[-1]
        return -self._likelihood(factor, weights), -0.5 * gradient
