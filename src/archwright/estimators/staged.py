"""Two estimators, the second for the best of the first only: a filter before what is dear."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Any, Self

from archwright.core.asking import answer_or_failure, briefing_of, metrics_of
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.history import History
from archwright.core.objective import Goal, Objective
from archwright.core.protocols import Estimator, Preflight, Stored
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.wrapped import spent
from archwright.spaces.space import Space
from archwright.tasks.task import Task


@dataclass(frozen=True)
class Staged:
    """Judges each trial by the cheap estimator; only those among its best go on to the dear one.

    The others are rejected: they have the cheap metrics, cost what the cheap estimate did, and are no evaluations of
    the budget. A trial is compared with those at its own fidelity. What went on once goes on again, so that a promotion
    to a higher fidelity isn't stopped half-way. Where the cheap one fails, such as a `Predicted` that knows too little,
    or has no value for `by`, the dear one answers: a cheap one that always fails leaves nothing out. Where the dear one
    fails, the trial does, with the cheap metrics and the cost of both.

    The cheap metrics are kept beside the dear ones. The metric `by`, and what the cheap one says about it (a name that
    begins with it), is called `cheap_...` where the dear one measures it too, or doesn't say what it measures; of any
    other that both have, the dear one's counts, but for `epochs`, and what caches spared, which are added up.

    Attributes:
        cheap: such as ZeroCost(task), Predicted(), or a Training of few epochs.
        dear: such as Training(task).
        by: what of the cheap metrics decides, with its direction: "max:synflow", "valid_accuracy".
        keep: share of the trials of a fidelity, so far, whose best go on.
        first: judged trials of a fidelity that all go on before any is left out, so that there is something to compare
            with. (Before a `Predicted` judges any, as many as it has to learn from went on.)
    """

    cheap: Estimator
    dear: Estimator
    by: str = "max:synflow"
    keep: float = 0.1
    first: int = 10

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise ArchwrightError(f"keep is the share of trials that go on, in (0, 1], not {self.keep}")
        known = _metrics(self.cheap)
        if known and self._by.metric not in known:
            raise ArchwrightError(one_of("cheap metric", self._by.metric, known))
        name = self._name(self._by.metric)
        if name != self._by.metric and name in known | _metrics(self.dear):
            raise ArchwrightError(
                f"a stage inside another one is judged by {self._by.metric} too, and both estimates would be called "
                f"{name}: let them be judged by different metrics"
            )

    @property
    def task(self) -> Task:
        """That of the dear one; an AttributeError if it has none."""
        return self.dear.task  # type: ignore[attr-defined, no-any-return]

    @property
    def metrics(self) -> frozenset[str]:
        """Those of both; an AttributeError if one of them can't say."""
        cheap: frozenset[str] = self.cheap.metrics  # type: ignore[attr-defined]
        dear: frozenset[str] = self.dear.metrics  # type: ignore[attr-defined]
        return dear | {self._name(metric) for metric in cheap}

    def stored(self, folder: str) -> Self:
        """The same estimators, keeping their files under `folder`."""
        cheap, dear = (one.stored(folder) if isinstance(one, Stored) else one for one in (self.cheap, self.dear))
        return replace(self, cheap=cheap, dear=dear)

    def preflight(self, space: Space, trial: Trial) -> Mapping[str, float]:
        """What either knows before it spends anything."""
        known: dict[str, float] = {}
        for one in (self.cheap, self.dear):
            known |= one.preflight(space, trial) if isinstance(one, Preflight) else {}
        return known

    def briefing(self, space: Space, history: History, trial: Trial) -> Any:
        """The fidelity's cheap losses in ascending order, whether the architecture went on before, what both want."""
        return (
            self._losses(history, trial.fidelity),
            any(item.failure is None and item.trial.architecture == trial.architecture for item in history),
            briefing_of(self.cheap, space, history, trial),
            briefing_of(self.dear, space, history, trial),
        )

    def estimate(self, space: Space, trial: Trial, briefing: Any = None) -> Evaluation:
        """The dear answer; a rejection where the cheap one is not among the best so far."""
        losses, went_on, cheaply, dearly = briefing or ((), False, None, None)
        cheap = answer_or_failure(self.cheap, space, trial, cheaply)
        if cheap.rejected:  # by a stage inside
            return cheap
        kept = {self._name(name): value for name, value in cheap.metrics.items()}
        judged = cheap.failure is None and not isnan(cheap.metrics.get(self._by.metric, nan))
        if judged and not went_on:
            left_out = self._left_out(losses, cheap)
            if left_out is not None:
                return Evaluation(trial, kept, cost=cheap.cost, failure=left_out, rejected=True)
        answer = answer_or_failure(self.dear, space, trial, dearly)  # a judgement is one, whatever comes of it
        metrics = {**kept, **answer.metrics, **spent(cheap, answer)}
        return replace(answer, metrics=metrics, cost=cheap.cost + answer.cost)

    def _left_out(self, losses: tuple[float, ...], cheap: Evaluation) -> str | None:
        """Why a trial doesn't go on; None if it does."""
        rank, count = bisect_left(losses, self._by.loss(cheap)) + 1, len(losses) + 1
        if count <= self.first or rank <= max(1.0, self.keep * count + 1e-9):
            return None
        share = f"the best {100 * self.keep:g} %"
        return f"its {self._by.metric} ranks {_ordinal(rank)} of {count}; {share} go on"

    def _losses(self, history: History, fidelity: float) -> tuple[float, ...]:
        """Of each architecture that the cheap one judged at a fidelity, by its last judgement."""
        name, sign = self._name(self._by.metric), -1.0 if self._by.maximize else 1.0
        judged = {
            item.trial.architecture: sign * item.metrics[name]
            for item in history
            if item.trial.fidelity == fidelity and not isnan(item.metrics.get(name, nan))
        }
        return tuple(sorted(judged.values()))

    def _name(self, metric: str) -> str:
        """What a cheap metric is called in the evaluation."""
        by = self._by.metric
        about = metric == by or metric.startswith(f"{by}_")
        known = metrics_of(self.dear)
        return f"cheap_{metric}" if about and (known is None or by in known) else metric

    @property
    def _by(self) -> Objective:
        return Goal.of(self.by).objectives[0]


def _metrics(estimator: Estimator) -> frozenset[str]:
    """What an estimator says it measures; nothing if it can't say."""
    return metrics_of(estimator) or frozenset()


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
