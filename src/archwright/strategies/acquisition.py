"""What it is worth to evaluate a candidate, by a model's prediction for it. Losses: smaller is better."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

Array = np.ndarray[Any, np.dtype[np.float64]]

LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


def expected_improvement(mean: Array, std: Array, best: float) -> Array:
    """E[max(best - Y, 0)] for Y ~ N(mean, std²), std > 0 (Mockus, 1978; Jones et al., 1998, equation 15): (m,)."""
    z = (best - mean) / std
    return np.asarray((best - mean) * ndtr(z) + std * np.exp(-0.5 * z * z - LOG_ROOT))


def log_expected_improvement(mean: Array, std: Array, best: float) -> Array:
    """The logarithm of `expected_improvement`, exact where the latter is 0 in floating point: (m,).

    Ament et al. (2023), equation 9: far from the best, candidates still are told apart.
    """
    z = np.asarray((best - mean) / std, dtype=float)
    near, far = np.maximum(z, -1.0), np.minimum(z, -1.0)
    direct = np.log(np.exp(-0.5 * near * near - LOG_ROOT) + near * ndtr(near))
    # 1 + z Phi(z) / phi(z), which tends to 1 / z²: beyond -1e5 the difference has lost its digits.
    ratio = np.where(far > -1e5, 1.0 + far * np.sqrt(np.pi / 2.0) * erfcx(-far / np.sqrt(2.0)), 1.0 / (far * far))
    tail = -0.5 * far * far - LOG_ROOT + np.log(ratio)
    return np.asarray(np.where(z > -1.0, direct, tail) + np.log(std))


def log_probability_of_improvement(mean: Array, std: Array, best: float) -> Array:
    """The logarithm of P(Y < best) for Y ~ N(mean, std²), std > 0 (Kushner, 1964): (m,)."""
    return np.asarray(log_ndtr((best - mean) / std))
