"""What a model says that has learnt from what was measured: a learned performance predictor."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any, cast

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, check_list
from archwright.core.history import History
from archwright.core.objective import Goal
from archwright.core.parts import describe
from archwright.core.trial import Evaluation, Trial
from archwright.predictors.calibration import Calibrated
from archwright.predictors.gaussian import Gaussian
from archwright.predictors.predictor import Fitted, Predictor
from archwright.predictors.validation import Scores, cross_validated
from archwright.predictors.warping import Warped
from archwright.runtime.store import Store, read_manifest
from archwright.spaces.space import Space

Known = tuple[tuple[Architecture, float], ...]
"""Architectures with what was measured of them, each once."""


@dataclass(frozen=True)
class Predicted:
    """Predicts a metric from the evaluations that the search, and finished runs, know at the trial's fidelity.

    A search in which everything is predicted measures nothing to learn from: give it runs, or let `Staged` send the
    best predictions on to an estimator that measures.

    Metrics: the metric; `<metric>_std`, the standard deviation of the prediction; `<metric>_learnt_from`, the number of
    architectures it was learnt from. By the last one a prediction is known, and never learnt from.

    Attributes:
        predictor: the model; it learns normal scores (`Warped`), and its deviations are made right by cross-validation
            (`Calibrated`), unless it is a `Calibrated` of your own. It is fitted anew when something new is known.
        metric: what to predict.
        runs: folders of finished runs in the same space.
        least: architectures that have to be known before it answers; until then it fails, and says so.
    """

    predictor: Predictor = Gaussian()
    metric: str = "valid_accuracy"
    runs: tuple[str, ...] = ()
    least: int = 10

    def __post_init__(self) -> None:
        check_list("runs", self.runs, "folders")
        if self.least < 2:
            raise ArchwrightError(f"a prediction is learnt from at least 2 evaluations, not from {self.least}")
        if self.metric.startswith("test_"):
            raise ArchwrightError(f"{self.metric} can't be predicted: the test split is scored once, at the end")

    @property
    def metrics(self) -> frozenset[str]:
        """The metric, its deviation, and what it was learnt from."""
        return frozenset({self.metric, f"{self.metric}_std", self._mark})

    def briefing(self, space: Space, history: History, trial: Trial) -> Known:
        """What the search has measured at the trial's fidelity."""
        return self._measured(history, trial.fidelity)

    def estimate(self, space: Space, trial: Trial, briefing: Known | None = None) -> Evaluation:
        """Predicts; a failure while too little is known.

        Raises:
            ArchwrightError: a run that can't be read, or that searched another space.
        """
        started = time.perf_counter()
        known = self._all(space, trial.fidelity, briefing or ())
        if len(known) < self.least:
            short = f"{self.metric} is predicted from at least {self.least} architectures, and {len(known)} are known"
            runs = "more runs" if self.runs else "runs=[FOLDER]"
            advice = f"give it {runs}, or put it into Staged(Predicted(), Training(task))"
            return Evaluation(trial, cost=time.perf_counter() - started, failure=f"{short}; {advice}")
        mean, std = self._fitted(space, known, trial.seed).predict([trial.architecture])
        metrics = {
            self.metric: float(mean[0]),
            f"{self.metric}_std": float(std[0]),
            self._mark: float(len(known)),
        }
        return Evaluation(trial, metrics, cost=time.perf_counter() - started)

    def scores(self, space: Space, history: Sequence[Evaluation] = (), fidelity: float = 1.0, seed: int = 0) -> Scores:
        """How well it predicts what it has not seen, by cross-validation on what a history and the runs know.

        Raises:
            ArchwrightError: fewer than 3 architectures are known.
        """
        known = self._all(space, fidelity, self._measured(history, fidelity))
        architectures, targets = [architecture for architecture, _ in known], np.array([value for _, value in known])
        return cross_validated(self._model, space, architectures, targets, seed=seed)

    @property
    def _mark(self) -> str:
        return f"{self.metric}_learnt_from"

    @property
    def _model(self) -> Predictor:
        return self.predictor if isinstance(self.predictor, Calibrated) else Calibrated(Warped(self.predictor))

    def _measured(self, evaluations: Iterable[Evaluation], fidelity: float) -> Known:
        """The mean for each architecture of what was measured at a fidelity; nothing predicted, repeated or failed."""
        values: dict[Architecture, list[float]] = defaultdict(list)
        for evaluation in evaluations:
            value = evaluation.metrics.get(self.metric)
            if evaluation.failure is not None or evaluation.reused is not None or self._mark in evaluation.metrics:
                continue
            if value is not None and isfinite(value) and evaluation.trial.fidelity == fidelity:
                values[evaluation.trial.architecture].append(value)
        return tuple((architecture, sum(found) / len(found)) for architecture, found in values.items())

    def _all(self, space: Space, fidelity: float, briefing: Known) -> Known:
        """What the runs know, and the search itself; where both know an architecture, the search."""
        known: dict[Architecture, float] = {}
        for folder in self.runs:
            known |= dict(self._measured(self._run(space, folder), fidelity))
        return tuple((known | dict(briefing)).items())

    def _run(self, space: Space, folder: str) -> Sequence[Evaluation]:
        if folder not in self._kept:
            path = Path(folder).expanduser()
            manifest = read_manifest(path)
            with Store(path) as store:
                history, _ = store.load(Goal.of(manifest["objectives"]))
            self._kept[folder] = manifest["space"], list(history)
        searched, found = self._kept[folder]
        if searched != describe(space):
            raise ArchwrightError(f"the run {folder} searched another space: what it knows is of no use in this one")
        return cast("list[Evaluation]", found)

    def _fitted(self, space: Space, known: Known, seed: int) -> Fitted:
        """The model of what is known; the last one is remembered."""
        asked = (space, known, seed)
        last = self._kept.get("")
        if last is None or last[0][0] is not space or last[0][1:] != asked[1:]:
            targets = np.array([value for _, value in known])
            fitted = self._model.fit(space, [architecture for architecture, _ in known], targets, seed)
            last = self._kept[""] = asked, fitted
        found: Fitted = last[1]
        return found

    @cached_property
    def _kept(self) -> dict[str, Any]:
        """The last model under "", and the evaluations of runs by their folder: a cache of this process."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}
