"""Trainings ended early by what their learning curves promise: Domhan, Springenberg and Hutter, 2015."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archwright.core.asking import briefing_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import seed_for
from archwright.core.trial import Evaluation, Trial
from archwright.curves.extrapolator import Extrapolator, Known, Prediction
from archwright.curves.support_vectors import SupportVectors
from archwright.estimators.course import Course
from archwright.estimators.wrapped import TakesPart
from archwright.spaces.space import Space

NUMBERS = ("parameters", "flops")
"""What an extrapolator is told of an architecture, where the estimator measures it before a training."""
LATEST = 300
"""So many of the known curves, the latest, an extrapolator learns from at most."""


@dataclass(frozen=True)
class Standing:
    """What a search knows when a trial begins.

    Attributes:
        best: the best score of a training to the end, at the trial's fidelity; None if there is none.
        known: such trainings, for an extrapolator that learns from them.
    """

    best: float | None = None
    known: tuple[Known, ...] = ()


@dataclass(frozen=True)
class EarlyStopping(TakesPart):
    """Ends a training that will hardly be the best, and answers with what it would have come to.

    After `warmup` epochs, and every `every` from then on, the validation score at the end is predicted. If the
    probability that it will be above the best known is below `threshold`, the training ends, and its score is the mean
    of the prediction (the paper's conservative criterion); so a strategy learns from it as from any other. All other
    metrics are those of the epoch at which it ended, and the learning curve is the true one.

    Metrics beside those of the estimator inside: `stopped`, 1 or 0; and, where a prediction was made, its mean
    `predicted_<score>`, its spread `predicted_std`, and `predicted_at`, the epochs that it had seen. Of a training that
    was ended this is the prediction that ended it. Of one that went on to its end it is the first one, made after as
    many epochs in each training: beside the true score it shows how far the extrapolator is to be trusted.

    The best is that of trainings at the same fidelity that keep the constraints. An extrapolator that learns from
    complete curves makes no prediction, and ends nothing, before enough of them are known.

    Attributes:
        by: the extrapolator; by default one that learns from 30 complete curves or more (Baker et al., 2017b), since
            `Training` has a cosine schedule, whose late rise the families of the paper's own
            `curves.ParametricMixture` don't have: in the middle of such a training they promise too little.
        threshold: the paper's 0.05.
        certain: a standard deviation of the prediction below which a training ends too, whatever is predicted (the
            optimistic criterion, for which the paper's program has 0.005); 0 never does.
        every: epochs between predictions; the number is ours.
        warmup: epochs before the first one; the number is ours.
    """

    by: Extrapolator = field(default_factory=lambda: SupportVectors(least=30))
    threshold: float = 0.05
    certain: float = 0.0
    every: int = 5
    warmup: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.threshold < 1.0:
            raise ArchwrightError(f"the threshold is a probability of at least 0 and below 1, not {self.threshold}")
        if self.certain < 0.0:
            raise ArchwrightError(f"certain is a standard deviation of at least 0, not {self.certain}")
        if self.every < 1 or self.warmup < 1:
            raise ArchwrightError(f"every and warmup are at least 1 epoch, not {self.every} and {self.warmup}")

    @property
    def metrics(self) -> frozenset[str]:
        """Those of the estimator inside, and what is predicted."""
        return super().metrics | {f"predicted_{self.task.score}", "predicted_std", "predicted_at", "stopped"}

    def briefing(self, space: Space, history: History, trial: Trial) -> tuple[Standing, Any]:
        """The best score, the curves to learn from, and what the estimator inside wants to know."""
        metric = f"valid_{self.task.score}"
        whole = [
            scored
            for scored in history.succeeded
            if scored.evaluation.trial.fidelity == trial.fidelity
            and scored.evaluation.reused is None
            and scored.evaluation.curve
            and metric in scored.evaluation.metrics
            and not scored.evaluation.metrics.get("stopped")
        ]
        feasible = [scored.evaluation.metrics[metric] for scored in whole if scored.violation == 0.0]
        latest = [scored.evaluation for scored in whole[-LATEST:]] if self.by.least else []
        known = tuple(Known(one.curve, one.trial.architecture, _numbers(one.metrics)) for one in latest)
        return Standing(max(feasible, default=None), known), briefing_of(self.of, space, history, trial)

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """Trains to the end, or as far as it is worth it."""
        standing, inner = briefing if briefing is not None else (Standing(), None)
        seed = seed_for("curve", trial.seed)
        by = self.by.fit(standing.known, seed) if len(standing.known) >= self.by.least else None
        numbers = _numbers(self.preflight(space, trial)) if by is not None and self.by.least else ()
        made: list[tuple[int, Prediction]] = []
        stopped = False

        def watch(curve: Sequence[float], epochs: int) -> bool:
            nonlocal stopped
            seen = len(curve)
            if by is None or not self.warmup <= seen < epochs or (seen - self.warmup) % self.every:
                return False
            made.append((seen, by.predict(curve, epochs, numbers, seed_for(seed, seen))))
            stopped = self.ends(made[-1][1], standing.best)
            return stopped

        evaluation = self.of.train(space, trial, course.and_watch(watch), inner)
        metrics = dict(evaluation.metrics)
        metrics["stopped"] = max(float(stopped), metrics.get("stopped", 0.0))
        if made:
            seen, prediction = made[-1 if stopped else 0]
            score = self.task.score
            metrics |= {f"predicted_{score}": prediction.mean, "predicted_std": prediction.std, "predicted_at": seen}
            if stopped:
                metrics[f"valid_{score}"] = prediction.mean
        return replace(evaluation, metrics=metrics)

    def ends(self, prediction: Prediction, best: float | None) -> bool:
        """Whether a prediction ends a training, when `best` is the best score so far."""
        hopeless = best is not None and prediction.exceeds(best) < self.threshold
        return hopeless or prediction.std < self.certain


def _numbers(metrics: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(float(metrics[name]) for name in NUMBERS if name in metrics)
