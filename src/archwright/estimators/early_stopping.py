"""Trainings ended early by what their learning curves promise: Domhan, Springenberg and Hutter, 2015."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archwright.core.asking import briefing_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.objective import Constraint, Objective, minimize
from archwright.core.rng import seed_for
from archwright.core.trial import Evaluation, Trial
from archwright.curves.extrapolator import Extrapolator, Known, Prediction, finite
from archwright.curves.support_vectors import SupportVectors
from archwright.estimators.course import Course
from archwright.estimators.wrapped import TakesPart
from archwright.spaces.space import Space

NUMBERS = ("parameters", "flops")
"""What an extrapolator is told of an architecture, where the training inside tells it beforehand."""
LATEST = 300
"""So many of the known curves, the latest, an extrapolator learns from at most."""


@dataclass(frozen=True)
class Standing:
    """What a search wants, and what it knows when a trial begins of trainings to the end at the trial's fidelity.

    Attributes:
        beside: the objectives and constraints that aren't about the score.
        rivals: by the losses in those objectives, the best score of a training that keeps the constraints.
        known: the latest such trainings, for an extrapolator that learns from their curves.
    """

    beside: tuple[Objective | Constraint, ...] = ()
    rivals: Mapping[tuple[float, ...], float] = field(default_factory=dict)
    known: tuple[Evaluation, ...] = ()

    def losses(self, evaluation: Evaluation) -> tuple[float, ...]:
        """Those in the objectives beside the score."""
        return tuple(one.loss(evaluation) for one in self.beside if isinstance(one, Objective))

    def best(self, losses: tuple[float, ...]) -> float | None:
        """The best score of those that are no worse in the other objectives; None if there are none."""
        rivals = self.rivals.items()
        no_worse = (score for other, score in rivals if all(a <= b for a, b in zip(other, losses, strict=True)))
        return max(no_worse, default=None)


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

    The best is that of trainings at the same fidelity that keep the constraints and are no worse in the other
    objectives. Where an objective or constraint beside the score is not known before a training, as `valid_loss` and
    `latency_ms` aren't, none is ended.

    An extrapolator that learns from complete curves makes no prediction, and ends nothing, before enough of them are
    known: by default, before 30 trainings at the trial's fidelity went on to their end. Nor does one that was fitted
    beforehand, to curves of fewer epochs or with other numbers. A curve with a score that is no finite number is
    neither learnt from nor predicted.

    Attributes:
        by: the extrapolator; by default `SupportVectors(least=30)`, which learns from 30 complete curves or more (Baker
            et al., 2017b); one named by hand wants 100 if nothing is said, as in that paper. Not the paper's own
            `curves.ParametricMixture`, since `Training` has a cosine schedule, whose late rise its families don't have:
            in the middle of such a training they promise too little.
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
        """The best scores, the curves to learn from, and what the estimator inside wants to know."""
        metric = f"valid_{self.task.score}"
        beside = tuple(one for one in history.goal.wanted if one.metric != metric or one == minimize(metric))
        standing = Standing(beside)
        whole = [
            scored
            for scored in history.succeeded
            if scored.evaluation.trial.fidelity == trial.fidelity
            and scored.evaluation.reused is None
            and scored.evaluation.curve
            and metric in scored.evaluation.metrics
            and not scored.evaluation.metrics.get("stopped")
        ]
        rivals: dict[tuple[float, ...], float] = {}
        for scored in whole:
            if scored.violation == 0.0:
                losses, score = standing.losses(scored.evaluation), scored.evaluation.metrics[metric]
                rivals[losses] = max(score, rivals.get(losses, score))
        known = tuple(scored.evaluation for scored in whole[-LATEST:]) if self.by.least else ()
        return replace(standing, rivals=rivals, known=known), briefing_of(self.of, space, history, trial)

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """Trains to the end, or as far as it is worth it."""
        standing, inner = briefing if briefing is not None else (Standing(), None)
        before = self.preflight(space, trial)
        names = [name for name in NUMBERS if name in before]
        known = [
            Known(one.curve, one.trial.architecture, tuple(one.metrics[name] for name in names))
            for one in standing.known
            if all(name in one.metrics for name in names) and finite(one.curve)
        ]
        seed = seed_for("curve", trial.seed)
        by = self.by.fit(known, seed) if len(known) >= self.by.least else None
        numbers = tuple(float(before[name]) for name in names)
        may_end = all(one.metric in before for one in standing.beside)
        best = standing.best(standing.losses(Evaluation(trial, before))) if may_end else None
        made: list[tuple[int, Prediction]] = []
        stopped = False

        def watch(curve: Sequence[float], epochs: int) -> bool:
            nonlocal stopped
            seen = len(curve)
            if by is None or not self.warmup <= seen < epochs or (seen - self.warmup) % self.every:
                return False
            if not finite(curve):
                return False
            try:
                prediction = by.predict(curve, epochs, numbers, seed_for(seed, seen))
            except (ArchwrightError, ValueError):  # too few curves of so many epochs, other numbers
                return False
            made.append((seen, prediction))
            stopped = may_end and self.ends(prediction, best)
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
