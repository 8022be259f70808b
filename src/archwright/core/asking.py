"""How an estimator is asked, whichever of the optional protocols it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from archwright.core.errors import in_one_line
from archwright.core.protocols import Informed
from archwright.core.trial import Evaluation, Trial

if TYPE_CHECKING:
    from archwright.core.history import History


def briefing_of(estimator: Any, space: Any, history: History, trial: Trial) -> Any:
    """What an estimator wants to know of the history for a trial; None if nothing."""
    return estimator.briefing(space, history, trial) if isinstance(estimator, Informed) else None


def answer_of(estimator: Any, space: Any, trial: Trial, briefing: Any) -> Evaluation:
    """The answer of an estimator, with the briefing that `briefing_of` got for it."""
    informed = isinstance(estimator, Informed)
    answer: Evaluation = estimator.estimate(space, trial, *((briefing,) if informed else ()))
    return answer


def answer_or_failure(estimator: Any, space: Any, trial: Trial, briefing: Any) -> Evaluation:
    """As `answer_of`; what the estimator raises becomes a failed evaluation with its reason."""
    return or_failure(trial, partial(answer_of, estimator, space, trial, briefing))


def or_failure(trial: Trial, ask: Callable[[], Evaluation]) -> Evaluation:
    """What `ask` answers; what it raises becomes a failed evaluation with its reason."""
    started = time.perf_counter()
    try:
        return ask()
    except (Exception, SystemExit) as error:
        return Evaluation(trial, cost=time.perf_counter() - started, failure=in_one_line(error))


def metrics_of(estimator: Any) -> frozenset[str] | None:
    """Which metrics its evaluations will have; None if it doesn't say, or wraps one that doesn't."""
    return getattr(estimator, "metrics", None)
