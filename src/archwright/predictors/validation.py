"""How well a predictor predicts what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kendalltau, norm, spearmanr

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.predictors.predictor import Predictor
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

LEAST = 3
"""Evaluations that a cross-validation needs, since a predictor needs two."""


@dataclass(frozen=True)
class Scores:
    """Of predictions, against what was measured.

    Attributes:
        kendall, spearman: rank correlations, 0 where there are no ranks: all predictions or all targets are equal.
        rmse: root of the mean squared error, in the targets' units.
        coverage90: share of the targets inside the 90 % interval that mean and standard deviation give.
    """

    kendall: float
    spearman: float
    rmse: float
    coverage90: float

    def __str__(self) -> str:
        return (
            f"Kendall {self.kendall:.2f}, Spearman {self.spearman:.2f}, rmse {self.rmse:.3g}, "
            f"{self.coverage90:.0%} inside the 90 % interval"
        )


def scores(targets: Array, mean: Array, std: Array) -> Scores:
    """Of predictions mean, std (n,) for targets (n,)."""
    ranked = bool(np.ptp(targets) > 0 and np.ptp(mean) > 0)
    inside = np.abs(targets - mean) <= norm.ppf(0.95) * std
    return Scores(
        float(kendalltau(targets, mean).statistic) if ranked else 0.0,
        float(spearmanr(targets, mean).statistic) if ranked else 0.0,
        float(np.sqrt(np.mean((targets - mean) ** 2))),
        float(np.mean(inside)),
    )


def cross_validated(
    predictor: Predictor,
    space: Space,
    architectures: Sequence[Architecture],
    targets: Array,
    folds: int = 5,
    seed: int = 0,
) -> Scores:
    """Scores of predictions for each of `folds` parts by a model that learnt from the others.

    An architecture should be named once: what is in two parts has been seen.

    Raises:
        ArchwrightError: fewer than 3 architectures, or fewer than 2 folds.
    """
    targets = np.asarray(targets, dtype=float)
    return scores(targets, *unseen(predictor, space, architectures, targets, folds, seed))


def unseen(
    predictor: Predictor, space: Space, architectures: Sequence[Architecture], targets: Array, folds: int, seed: int
) -> tuple[Array, Array]:
    """Mean and standard deviation for each architecture, by a model that has not seen its part: (n,), (n,).

    Raises:
        ArchwrightError: fewer than 3 architectures, or fewer than 2 folds.
    """
    count = len(architectures)
    if count < LEAST or folds < 2:
        raise ArchwrightError(f"a cross-validation needs 3 architectures and 2 folds, not {count} and {folds}")
    mean, std = np.empty(count), np.empty(count)
    order = np.random.default_rng(seed_for("folds", seed)).permutation(count)
    for number, part in enumerate(np.array_split(order, min(folds, count) if count > LEAST else count)):
        rest = np.setdiff1d(order, part)
        fitted = predictor.fit(space, [architectures[place] for place in rest], targets[rest], seed_for(seed, number))
        mean[part], std[part] = fitted.predict([architectures[place] for place in part])
    return mean, std
