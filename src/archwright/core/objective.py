"""What a search wants: objectives and constraints over metrics. One convention inside: smaller is better."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archwright.core.errors import ArchwrightError, one_of
from archwright.core.trial import Evaluation

LARGER_IS_BETTER = frozenset({"accuracy", "r2"})
SMALLER_IS_BETTER = frozenset(
    {"loss", "perplexity", "error", "rmse", "mae"}
    | {"parameters", "flops", "latency_ms", "memory_mb", "seconds", "epochs"}
)


class BadObjective(ArchwrightError):
    """An objective that can't be understood, or a metric that nobody measures."""


@dataclass(frozen=True)
class Objective:
    """A metric to make small, or large if `maximize`."""

    metric: str
    maximize: bool = False

    def loss(self, evaluation: Evaluation) -> float:
        """The metric in the inner convention (smaller is better).

        Raises:
            BadObjective: the evaluation succeeded but lacks the metric.
        """
        value = _metric(self.metric, evaluation)
        return -value if self.maximize else value

    def __str__(self) -> str:
        return f"{'max' if self.maximize else 'min'}:{self.metric}"


@dataclass(frozen=True)
class Constraint:
    """A bound that every wanted architecture keeps: metric <= limit, or metric >= limit if `at_least`."""

    metric: str
    limit: float
    at_least: bool = False

    def violation(self, value: float) -> float:
        """How far outside, relative to the limit's size; 0.0 inside."""
        return max(0.0, self.excess(value))

    def excess(self, value: float) -> float:
        """The same with a sign: below 0 inside, by how far."""
        return (self.limit - value if self.at_least else value - self.limit) / (abs(self.limit) or 1.0)

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.at_least else '<='} {self.limit:.12g}"


def minimize(metric: str) -> Objective:
    """The objective to make `metric` small."""
    return Objective(metric)


def maximize(metric: str) -> Objective:
    """The objective to make `metric` large."""
    return Objective(metric, maximize=True)


def parse(text: str | Objective | Constraint) -> Objective | Constraint:
    """Reads "valid_accuracy", "max:score", "min:latency_ms" or "parameters <= 1e5".

    A bare name needs a known direction; for any other metric say `max:` or `min:`.
    Metrics have names like valid_accuracy, so the last word tells the direction.
    """
    if isinstance(text, Objective | Constraint):
        return text
    bound = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
    if bound:
        metric, sign, limit = bound.groups()
        try:
            number = float(limit.replace("_", ""))
        except ValueError:
            number = math.nan
        if math.isnan(number):
            raise BadObjective(f"the limit in {text!r} is not a number: {limit!r}")
        return Constraint(metric, number, at_least=sign.startswith(">"))
    directed = re.fullmatch(r"\s*(max|min)(?:imize)?:(\w+)\s*", text)
    if directed:
        return Objective(directed[2], maximize=directed[1] == "max")
    name = text.strip()
    stem = name.removeprefix("valid_").removeprefix("test_")
    if not name.isidentifier() or stem not in LARGER_IS_BETTER | SMALLER_IS_BETTER:
        raise BadObjective(
            f"can't tell what {text!r} asks for; write max:{name} or min:{name}, or a bound such as 'parameters <= 1e5'"
        )
    return Objective(name, maximize=stem in LARGER_IS_BETTER)


@dataclass(frozen=True)
class Goal:
    """All that a search wants: at least one objective, and any constraints."""

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    @classmethod
    def of(cls, wanted: Goal | Any) -> Goal:
        """From a `Goal`, one objective, or a sequence of objectives, constraints and their texts.

        Raises:
            BadObjective: nothing to optimise, a metric named twice, or the test split asked for.
        """
        if isinstance(wanted, Goal):
            return wanted
        items: Sequence[Any] = [wanted] if isinstance(wanted, str | Objective | Constraint) else list(wanted)
        parsed = [parse(item) for item in items]
        objectives = tuple(item for item in parsed if isinstance(item, Objective))
        if not objectives:
            raise BadObjective("a search needs at least one objective, such as valid_accuracy")
        for item in parsed:
            if not item.metric.isidentifier():
                raise BadObjective(f"a metric's name is one word of letters, digits and _, not {item.metric!r}")
        metrics = [objective.metric for objective in objectives]
        for metric in metrics:
            if metrics.count(metric) > 1:
                raise BadObjective(f"the objective {metric} is named twice")
        for item in parsed:
            if item.metric.startswith("test_"):
                raise BadObjective(
                    f"{item.metric} can't steer a search: the test split is scored once, when the search is over; "
                    f"use {item.metric.replace('test_', 'valid_', 1)}"
                )
        return cls(objectives, tuple(item for item in parsed if isinstance(item, Constraint)))

    @property
    def wanted(self) -> tuple[Objective | Constraint, ...]:
        """The objectives, then the constraints."""
        return self.objectives + self.constraints

    def losses(self, evaluation: Evaluation) -> tuple[float, ...]:
        """One number an objective, smaller is better."""
        return tuple(objective.loss(evaluation) for objective in self.objectives)

    def violation(self, evaluation: Evaluation) -> float:
        """Sum of the constraints' relative violations; 0.0 is feasible, a failure is infinitely far."""
        if evaluation.failure is not None:
            return math.inf
        return sum(bound.violation(_metric(bound.metric, evaluation)) for bound in self.constraints)

    def excluded(self, metrics: dict[str, float]) -> str | None:
        """The first constraint that these metrics break, as a sentence; None if those known keep all."""
        for bound in self.constraints:
            if bound.metric in metrics and bound.violation(metrics[bound.metric]) > 0:
                return f"excluded by {bound}: {bound.metric} is {metrics[bound.metric]:.12g}"
        return None


def dominates(left: Sequence[float], right: Sequence[float]) -> bool:
    """Pareto dominance of losses: nowhere worse, somewhere better."""
    return all(a <= b for a, b in zip(left, right, strict=True)) and tuple(left) != tuple(right)


def _metric(name: str, evaluation: Evaluation) -> float:
    try:
        return evaluation.metrics[name]
    except KeyError:
        raise BadObjective(one_of("metric", name, evaluation.metrics)) from None
