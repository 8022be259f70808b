"""The mean over several seeds: less noise, for as many times the price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from archwright.core.asking import answer_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import Fold, History
from archwright.core.protocols import Informed
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.staged import Staged
from archwright.estimators.wrapped import Wrapped, spent
from archwright.spaces.space import Space


@dataclass(frozen=True)
class Mean(Wrapped):
    """Asks the estimator inside several times, each with a seed of its own, and answers with the means.

    Metrics: the means of those that all answers have, but for `epochs`, and what a `Cached` inside spared of them and
    of seconds, which are added up, as the cost is; and beside each validation metric, `valid_..._std`, the standard
    deviation among the seeds (with n - 1). The learning curve is the mean, as long as the shortest. If one answer
    fails, all do, for its reason; so a `Staged`, which might leave out a later seed when others are paid for, goes
    round a mean, not into it.

    Seed s asks with the seeds s * seeds, ..., s * seeds + seeds - 1. Each has a history of its own, so a child inherits
    the weights that its parent had under the same of the seeds.

    Attributes:
        seeds: how many.
    """

    seeds: int = 3

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ArchwrightError(f"a mean is over at least 2 seeds, not {self.seeds}")
        if isinstance(self.of, Staged):
            raise ArchwrightError(
                "Mean round Staged would throw away what some seeds cost when a later one is left out: "
                "write Staged(cheap, Mean(dear)), which decides once for all seeds"
            )

    @property
    def metrics(self) -> frozenset[str]:
        """Those of the estimator inside, and the deviations; an AttributeError if it can't say."""
        inside = super().metrics
        return inside | {f"{name}_std" for name in inside if name.startswith("valid_")}

    def briefing(self, space: Space, history: History, trial: Trial) -> Any:
        """What the estimator inside wants to know, for each seed."""
        if not isinstance(self.of, Informed):
            return None
        views = [view(history) or History(history.goal) for view in self._views]
        told = [self.of.briefing(space, view, self._asked(trial, number)) for number, view in enumerate(views)]
        return None if all(one is None for one in told) else tuple(told)

    def estimate(self, space: Space, trial: Trial, briefing: Any = None) -> Evaluation:
        """The means, or the first failure."""
        told = briefing or (None,) * self.seeds
        answers: list[Evaluation] = []
        for number in range(self.seeds):
            answer = answer_of(self.of, space, self._asked(trial, number), told[number])
            answers.append(answer)
            if answer.failure is not None:
                return replace(answer, trial=trial, cost=sum(one.cost for one in answers))
        values = {
            name: np.array([answer.metrics[name] for answer in answers])
            for name in answers[0].metrics
            if all(name in answer.metrics for answer in answers)
        }
        metrics = {name: float(found.mean()) for name, found in values.items()} | spent(*answers)
        metrics |= {f"{name}_std": float(values[name].std(ddof=1)) for name in values if name.startswith("valid_")}
        shortest = min(len(answer.curve) for answer in answers)
        curve = np.mean([answer.curve[:shortest] for answer in answers], axis=0)
        return Evaluation(trial, metrics, tuple(curve.tolist()), sum(answer.cost for answer in answers))

    def _asked(self, trial: Trial, number: int) -> Trial:
        """The trial with the seed of that number."""
        return replace(trial, seed=trial.seed * self.seeds + number)

    @cached_property
    def _views(self) -> list[Fold[History | None]]:
        """The history as each seed has it."""

        def view(number: int) -> Fold[History | None]:
            def step(seen: History | None, history: History, position: int) -> History:
                seen = History(history.goal) if seen is None else seen
                asked = self._asked(history[position].trial, number)
                seen.append(seen.ask(asked), replace(history[position], trial=asked))
                return seen

            return Fold(lambda: None, step)

        return [view(number) for number in range(self.seeds)]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_views"}
