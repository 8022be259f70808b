"""Support vectors on the beginnings of curves: Baker, Gupta, Raskar and Naik, 2017 (b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, ParameterSampler, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR

from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.curves.extrapolator import Known, Prediction
from archwright.curves.learnt import Learns, Range

Array = np.ndarray[Any, np.dtype[np.float64]]

RANGES = {
    "nusvr__C": np.geomspace(1e-2, 1e3, 26),
    "nusvr__nu": np.linspace(0.1, 0.9, 17),
    "nusvr__gamma": np.geomspace(1e-4, 1.0, 17),
}
"""From which settings of the regression are drawn, for standardised features and targets; ours."""

REACH = 2.0
"""Scores are cut off so many distances between the known ones' outer tenths from their median: if these are normal, at
five standard deviations. One score further away would already widen the spread of all predictions."""


@dataclass(frozen=True)
class SupportVectors(Learns):
    """A ν-support-vector regression for each length of a curve's beginning, with a radial kernel.

    It learns from the scores so far, their first and second differences, and the architecture's numbers. The setting
    that predicts best in cross-validation is taken, and the spread is that of its errors there, taken to be normal.
    Takes scores of any range: all is standardised. Extreme ones, as of trainings that diverge, are cut off: a few
    would have all the spread.

    Attributes:
        least: complete curves that it wants; the paper trains on 100.
        draws: settings that are tried, at random; the number is ours.
        folds: of the cross-validation; ours.
    """

    least: int = 100
    draws: int = 30
    folds: int = 5

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= self.least:
            raise ArchwrightError(f"SupportVectors needs 2 <= folds <= least, not {self.folds} and {self.least}")

    def learn(self, known: Sequence[Known], horizon: int, seed: int) -> Regressions:
        """A regression for each length, fitted when it is first asked for."""
        return Regressions(self, tuple(known), horizon, seed)


@dataclass(frozen=True)
class Regressions:
    """Regressions of standardised scores at the horizon, by the length of the beginnings that they learn from.

    Attributes:
        settings: how they are fitted.
        known: curves of at least `horizon` epochs.
        seed: of the drawn settings and of the folds.
    """

    settings: SupportVectors
    known: tuple[Known, ...]
    horizon: int
    seed: int
    _made: dict[int, tuple[Range, Pipeline, float]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, curve: Sequence[float], numbers: Sequence[float], seed: int) -> Prediction:
        """By the regression for beginnings of this length."""
        length = len(curve)
        ends = np.array([one.curve[self.horizon - 1] for one in self.known])
        ends = Range.of(ends).cut(ends, REACH)
        mean, scale = float(ends.mean()), float(ends.std()) or 1.0
        if length not in self._made:
            self._made[length] = self._best(length, (ends - mean) / scale)
        of_scores, model, error = self._made[length]
        inputs = features(of_scores.cut(np.asarray(curve, dtype=float), REACH), numbers)[None]
        return Prediction(float(mean + scale * model.predict(inputs)[0]), scale * error)

    def _best(self, length: int, targets: Array) -> tuple[Range, Pipeline, float]:
        """The range of the beginnings' scores; the drawn setting that predicts best, fitted on all curves; and the root
        of its mean squared error."""
        beginnings = np.array([one.curve[:length] for one in self.known], dtype=float)
        of_scores = Range.of(beginnings)
        rows = zip(of_scores.cut(beginnings, REACH), self.known, strict=True)
        inputs = np.array([features(scores, one.numbers) for scores, one in rows])
        random = seed_for("length", self.seed, length) % 2**32
        folds = KFold(self.settings.folds, shuffle=True, random_state=random)
        tried = []
        for setting in ParameterSampler(RANGES, self.settings.draws, random_state=random):
            model = make_pipeline(StandardScaler(), NuSVR()).set_params(**setting)
            apart = cross_val_predict(model, inputs, targets, cv=folds) - targets
            tried.append((model, float(np.sqrt(np.mean(apart**2)))))
        model, error = min(tried, key=lambda one: one[1])
        return of_scores, model.fit(inputs, targets), error


def features(curve: Sequence[float] | Array, numbers: Sequence[float]) -> Array:
    """The scores, their first and second differences, and the architecture's numbers, in one vector."""
    scores = np.asarray(curve, dtype=float)
    return np.concatenate([scores, np.diff(scores), np.diff(scores, 2), np.asarray(numbers, dtype=float)])
