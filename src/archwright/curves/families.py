"""The eleven parametric families of learning curves of Domhan, Springenberg and Hutter, 2015."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

Array = np.ndarray[Any, np.dtype[np.float64]]

CALLS = 200
"""Of a family, at most, in one fit."""


@dataclass(frozen=True)
class Family:
    """A shape that learning curves have. The numbers suit scores in 0..1 after 1, 2, ... epochs, and are ours.

    Attributes:
        curve: the score after x >= 1 epochs from the parameters; both broadcast.
        parameters: their names, as in the paper.
        start: parameters of a curve that rises from about .2 to about .7, from which a fit starts.
        low, high: bounds of the parameters, wide.
    """

    curve: Callable[..., Array]
    parameters: tuple[str, ...]
    start: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def fit(self, x: Array, y: Array, weights: Array) -> Array:
        """The parameters of least weighted squares for scores y (n,) after x (n,) epochs: maximum likelihood."""

        def residuals(parameters: Array) -> Array:
            with np.errstate(all="ignore"):
                apart = np.sqrt(weights) * (self.curve(x, *parameters) - y)
            return np.nan_to_num(apart, nan=1e3, posinf=1e3, neginf=-1e3)

        found = least_squares(residuals, self.start, bounds=(self.low, self.high), max_nfev=CALLS)
        return np.asarray(found.x)


def vapor_pressure(x: Array, a: Array, b: Array, c: Array) -> Array:
    """Of a liquid, over its temperature."""
    return np.asarray(np.exp(a + b / x + c * np.log(x)))


def ilog2(x: Array, c: Array, a: Array) -> Array:
    """An inverse logarithm."""
    return c - a / np.log1p(x)


def weibull(x: Array, alpha: Array, beta: Array, kappa: Array, delta: Array) -> Array:
    """The distribution function, from beta at 0 to alpha."""
    return np.asarray(alpha - (alpha - beta) * np.exp(-((kappa * x) ** delta)))


def pow3(x: Array, c: Array, a: Array, alpha: Array) -> Array:
    """A power law that rises to c."""
    return c - a * x**-alpha


def pow4(x: Array, c: Array, a: Array, b: Array, alpha: Array) -> Array:
    """The same with an offset of x."""
    return c - (a * x + b) ** -alpha


def log_log_linear(x: Array, a: Array, b: Array) -> Array:
    """A line in doubly logarithmic axes; it has no limit."""
    return np.asarray(np.log(a * np.log(x) + b))


def mmf(x: Array, alpha: Array, beta: Array, kappa: Array, delta: Array) -> Array:
    """Morgan, Mercer and Flodin's growth curve, from beta at 0 to alpha."""
    return alpha - (alpha - beta) / (1.0 + (kappa * x) ** delta)


def janoschek(x: Array, alpha: Array, beta: Array, kappa: Array, delta: Array) -> Array:
    """Janoschek's growth curve, from beta at 0 to alpha."""
    return np.asarray(alpha - (alpha - beta) * np.exp(-kappa * x**delta))


def hill3(x: Array, theta: Array, eta: Array, kappa: Array) -> Array:
    """Hill's equation, from 0 to theta."""
    return theta * x**eta / (kappa**eta + x**eta)


def log_power(x: Array, a: Array, b: Array, c: Array) -> Array:
    """A logistic curve of log x."""
    return np.asarray(a / (1.0 + (x / np.exp(b)) ** c))


def exp4(x: Array, c: Array, a: Array, alpha: Array, b: Array) -> Array:
    """A stretched exponential that rises to c."""
    return np.asarray(c - np.exp(-a * x**alpha + b))


_GROWTH = ("alpha", "beta", "kappa", "delta")

FAMILIES = {
    "vapor_pressure": Family(
        vapor_pressure, ("a", "b", "c"), (-0.6, -0.9, 0.04), (-10.0, -50.0, -2.0), (5.0, 5.0, 2.0)
    ),
    "ilog2": Family(ilog2, ("c", "a"), (0.8, 0.4), (-2.0, -5.0), (3.0, 5.0)),
    "weibull": Family(weibull, _GROWTH, (0.7, 0.1, 0.1, 1.0), (-1.0, -1.0, 1e-6, 1e-2), (2.0, 2.0, 10.0, 10.0)),
    "pow3": Family(pow3, ("c", "a", "alpha"), (0.8, 0.6, 0.5), (-2.0, -5.0, 1e-3), (3.0, 5.0, 10.0)),
    "pow4": Family(
        pow4, ("c", "a", "b", "alpha"), (0.8, 1.0, 1.0, 0.7), (-2.0, 1e-6, 0.0, 1e-3), (3.0, 1e3, 1e3, 10.0)
    ),
    "log_log_linear": Family(log_log_linear, ("a", "b"), (0.2, 1.2), (0.0, 1e-2), (5.0, 10.0)),
    "mmf": Family(mmf, _GROWTH, (0.7, 0.1, 0.2, 1.0), (-1.0, -1.0, 1e-6, 1e-2), (2.0, 2.0, 10.0, 10.0)),
    "janoschek": Family(janoschek, _GROWTH, (0.7, 0.1, 0.2, 0.8), (-1.0, -1.0, 1e-6, 1e-2), (2.0, 2.0, 10.0, 10.0)),
    "hill3": Family(hill3, ("theta", "eta", "kappa"), (0.7, 0.9, 2.5), (0.0, 1e-2, 1e-6), (2.0, 10.0, 1e4)),
    "log_power": Family(log_power, ("a", "b", "c"), (0.7, 1.0, -0.9), (0.0, -10.0, -10.0), (2.0, 10.0, 0.0)),
    "exp4": Family(
        exp4, ("c", "a", "alpha", "b"), (0.7, 0.3, 0.6, -0.4), (-2.0, 0.0, 1e-2, -10.0), (3.0, 10.0, 5.0, 2.0)
    ),
}
"""By name."""
