"""How an estimator is asked, whichever of the optional protocols it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.core.protocols import Informed

if TYPE_CHECKING:
    from archwright.core.history import History
    from archwright.core.trial import Evaluation, Trial


def briefing_of(estimator: Any, space: Any, history: History, trial: Trial) -> Any:
    """What an estimator wants to know of the history for a trial; None if nothing."""
    return estimator.briefing(space, history, trial) if isinstance(estimator, Informed) else None


def answer_of(estimator: Any, space: Any, trial: Trial, briefing: Any) -> Evaluation:
    """The answer of an estimator, with the briefing that `briefing_of` got for it."""
    informed = isinstance(estimator, Informed)
    answer: Evaluation = estimator.estimate(space, trial, *((briefing,) if informed else ()))
    return answer


def metrics_of(estimator: Any) -> frozenset[str] | None:
    """Which metrics its evaluations will have; None if it doesn't say, or wraps one that doesn't."""
    return getattr(estimator, "metrics", None)
