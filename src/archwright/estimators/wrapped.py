"""Estimators round other estimators: values that nest. What a wrapper does not change, it hands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch

from archwright.core.asking import briefing_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import Estimator, Preflight, Stored
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.course import Course, Setting, Trains
from archwright.spaces.space import Space
from archwright.tasks.task import Task

SPENT = ("epochs", "cached_epochs", "cached_seconds")
"""Metrics that say what was spent, now or when a kept answer was made: of several answers they are added up."""


def spent(*answers: Evaluation) -> dict[str, float]:
    """The sums of those metrics over answers that make up one."""
    known = [name for name in SPENT if any(name in answer.metrics for answer in answers)]
    return {name: sum(answer.metrics.get(name, 0.0) for answer in answers) for name in known}


@dataclass(frozen=True)
class Wrapped:
    """An estimator round another one.

    Attributes:
        of: the estimator inside.
    """

    of: Estimator

    @property
    def task(self) -> Task:
        """That of the estimator inside; an AttributeError if it has none."""
        return self.of.task  # type: ignore[attr-defined, no-any-return]

    @property
    def metrics(self) -> frozenset[str]:
        """Those of the estimator inside; an AttributeError if it can't say."""
        return self.of.metrics  # type: ignore[attr-defined, no-any-return]

    def stored(self, folder: str) -> Self:
        """The same estimators, keeping their files under `folder`."""
        return replace(self, of=self.of.stored(folder)) if isinstance(self.of, Stored) else self

    def preflight(self, space: Space, trial: Trial) -> Mapping[str, float]:
        """What the estimator inside knows before it spends anything."""
        return self.of.preflight(space, trial) if isinstance(self.of, Preflight) else {}

    def briefing(self, space: Space, history: History, trial: Trial) -> Any:
        """What the estimator inside wants to know of the history."""
        return briefing_of(self.of, space, history, trial)


@dataclass(frozen=True)
class TakesPart(Wrapped):
    """A wrapper that takes part in the training of the estimator inside, and wraps others that do, in any order.

    Raises:
        ArchwrightError: the estimator inside doesn't train.
    """

    of: Trains

    def __post_init__(self) -> None:
        if not isinstance(self.of, Trains):
            name, kind = type(self).__name__, type(self.of).__name__
            raise ArchwrightError(f"{name} takes part in a training, such as Training(task), and {kind} is none")

    def setting(self, fidelity: float, device: torch.device) -> Setting:
        """That of the training inside."""
        return self.of.setting(fidelity, device)

    def estimate(self, space: Space, trial: Trial, briefing: Any = None) -> Evaluation:
        """Trains and validates."""
        return self.train(space, trial, Course(), briefing)

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """Trains and validates, with others taking part."""
        raise NotImplementedError
