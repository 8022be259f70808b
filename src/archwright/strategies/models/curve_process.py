"""A Gaussian process over learning curves: the model of freeze-thaw (Swersky, Snoek and Adams, 2014, section 3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from archwright.predictors.gaussian_process import AMPLITUDE, ITERATIONS, JITTER, Kernel

Array = np.ndarray[Any, np.dtype[np.float64]]

TRANSIENT = (1e-2, 1e3)
"""Bounds of the variance of what fades, before it fades, in variances of the curves' ends."""
ALPHA, BETA = (0.3, 5.0), (0.02, 5.0)
"""Bounds of the rates' distribution, Gamma(alpha, beta), a rate being one over shares of the full training."""
NOISE = (1e-3, 1.0)
"""Bounds of the variance of a single value, in variances of the curves' ends."""
DROP = (1e-2, 30.0)
"""Bounds of how far losses fall, on average over curves, in standard deviations of the curves' ends."""

ORIGIN = np.zeros(1)


class Curve(NamedTuple):
    """What is known of an item's learning curve; no times and no values where it was not begun.

    Attributes:
        times: shares of the full training, ascending.
        values: losses at these times.
    """

    item: Any
    times: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


@dataclass
class CurveProcess:
    """Loss of item n at time t = f(n) + g_n(t) + noise: an asymptote that alike items share, and what fades of its own.

    f ~ GP(m, amplitude * kernel), with the m of the largest likelihood. g_n ~ GP(drop * `decay` from 0, transient *
    `decay`). Given the asymptotes curves are independent, so that a curve says no more of its asymptote than one value
    of a certain precision (`_reduced`; the paper's Lambda and gamma): the cost grows with the cube of the curves'
    number, not of all their values'.

    The paper has no amplitude of the transient, and no drop: a loss may rise as well as fall then, and once one
    training has come to its end, the paused ones seem hopeless beside it.

    Attributes:
        kernel: over the items.
        parameters: the kernel's, amplitude, transient, alpha, beta, noise, drop (of standardised values); the last
            fit's. They maximise the marginal likelihood (L-BFGS-B), where the paper samples them by slices.
        likelihood: the logarithm of the marginal likelihood of the standardised values at `parameters`.
    """

    kernel: Kernel

    def fit(self, curves: Sequence[Curve], parameters: Array | None = None) -> CurveProcess:
        """Conditions on curves, each of at least one value, and returns itself; given `parameters` are kept."""
        ends = np.array([curve.values[-1] for curve in curves])
        self._mean, self._spread = float(ends.mean()), float(ends.std()) or 1.0
        self._items = [curve.item for curve in curves]
        self._groups = self._grouped(curves)
        pairs = self.kernel.compare(self._items, self._items)
        self.parameters = self._optimised(pairs) if parameters is None else np.asarray(parameters, dtype=float)
        self.likelihood = self._condition(self.parameters, pairs)
        return self

    def predict(self, curves: Sequence[Curve], time: float = 1.0) -> tuple[Array, Array]:
        """Mean and standard deviation of each curve at a time, without noise, in the values' units: (m,), (m,).

        A curve counts by its own values, and by what the fit knows of alike items; a curve with values is one of the
        fit's.
        """
        _, transient, alpha, beta, _, drop = self.parameters[-6:]
        at = np.array([time])
        cross = self._asymptotes([curve.item for curve in curves], self._items)
        mean = self._level + cross @ self._weights
        variance = self.parameters[-6] - np.einsum("mn,nm->m", cross, cho_solve(self._factor, cross.T))
        for times, same, values in self._grouped(curves):
            fall, fading = drop * decay(at, ORIGIN, alpha, beta), transient * decay(at, at, alpha, beta)
            if len(times):
                shared = transient * decay(times, at, alpha, beta)
                gain = cho_solve(_factored(times, self.parameters), shared)
                fall = fall + gain.T @ (values - drop * decay(times, ORIGIN, alpha, beta))
                left = 1.0 - gain.sum()  # of the asymptote, what the curve's own values don't say
                mean[same], variance[same] = left * mean[same], left**2 * variance[same]
                fading = fading - shared.T @ gain
            mean[same] += fall[0]
            variance[same] += fading[0, 0]
        return self._mean + self._spread * mean, self._spread * np.sqrt(np.maximum(variance, 1e-12))

    def _standardised(self, curve: Curve) -> Array:
        return (np.array(curve.values) - self._mean) / self._spread

    def _grouped(self, curves: Sequence[Curve]) -> list[tuple[Array, list[int], Array]]:
        """Curves of equal times together, for one factorisation: their times, places and values (times, curves)."""
        places = defaultdict(list)
        for place, curve in enumerate(curves):
            places[curve.times].append(place)
        return [
            (np.array(times), same, np.array([self._standardised(curves[place]) for place in same]).T)
            for times, same in places.items()
        ]

    def _asymptotes(self, left: Sequence[Any], right: Sequence[Any]) -> Array:
        like: Array = self.parameters[-6] * self.kernel(self.parameters[:-6], self.kernel.compare(left, right))
        return like

    def _condition(self, parameters: Array, pairs: Any) -> float:
        """Notes what predictions need, and returns the likelihood."""
        values, precision, likelihood = self._reduced(parameters)
        gram = parameters[-6] * self.kernel(parameters[:-6], pairs)
        gram[np.diag_indices_from(gram)] += 1.0 / precision + JITTER * parameters[-6]
        self._factor = cho_factor(gram, lower=True)
        ones = cho_solve(self._factor, np.ones(len(values)))
        self._level = float(ones @ values / ones.sum())  # m, by generalised least squares
        apart = values - self._level
        self._weights = cho_solve(self._factor, apart)
        return likelihood - _surprise(self._factor, apart, self._weights)

    def _reduced(self, parameters: Array) -> tuple[Array, Array, float]:
        """What each curve says of its asymptote, a value and its precision: (n,), (n,); and the likelihood of the rest.

        N(y; f 1, K) = N(v; f, 1 / p) * rest, with p = 1' K^-1 1 and v = 1' K^-1 y / p.
        """
        value, precision, rest = np.empty(len(self._items)), np.empty(len(self._items)), 0.0
        _, _, alpha, beta, _, drop = parameters[-6:]
        for times, same, whole in self._groups:
            values = whole - drop * decay(times, ORIGIN, alpha, beta)
            factor = _factored(times, parameters)
            ones = cho_solve(factor, np.ones(len(times)))
            precision[same] = ones.sum()
            value[same] = ones @ values / ones.sum()
            apart = values - value[same]
            rest -= _surprise(factor, apart, cho_solve(factor, apart))
            rest += 0.5 * len(same) * np.log(2.0 * np.pi / ones.sum())
        return value, precision, rest

    def _optimised(self, pairs: Any) -> Array:
        bounds = np.log(np.array([*self.kernel.bounds, AMPLITUDE, TRANSIENT, ALPHA, BETA, NOISE, DROP]))

        def objective(logs: Array) -> float:
            try:
                return -self._condition(np.exp(logs), pairs)
            except np.linalg.LinAlgError:  # parameters that double precision can't serve
                return 1e10

        options = {"maxiter": ITERATIONS}
        found = minimize(objective, bounds.mean(axis=1), method="L-BFGS-B", bounds=bounds, options=options)
        return np.asarray(np.exp(found.x))


def decay(left: Array, right: Array, alpha: float, beta: float) -> Array:
    """beta^alpha / (t + t' + beta)^alpha: exp(-r t) exp(-r t') averaged over rates r ~ Gamma(alpha, beta): (n, m).

    The paper's kernel (section 3.1): curves that fade like a mixture of exponentials.
    """
    return np.asarray((beta / (left[:, None] + right[None, :] + beta)) ** alpha)


def _factored(times: Array, parameters: Array) -> tuple[Array, bool]:
    """Of a curve's covariance around its asymptote, noise included."""
    _, transient, alpha, beta, noise, _ = parameters[-6:]
    factor: tuple[Array, bool] = cho_factor(
        transient * decay(times, times, alpha, beta) + noise * np.eye(len(times)), lower=True
    )
    return factor


def _surprise(factor: tuple[Array, bool], values: Array, weights: Array) -> float:
    """The negative logarithm of N(values; 0, K), weights being K^-1 values; for several columns its sum."""
    columns = values.size // len(factor[0])
    logarithms = np.log(np.diag(factor[0])).sum() + 0.5 * len(factor[0]) * np.log(2.0 * np.pi)
    return float(0.5 * np.vdot(values, weights) + columns * logarithms)
