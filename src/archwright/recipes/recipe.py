"""What a recipe is: a published system as a space, a strategy and an estimator, with its paper's numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.core.protocols import Estimator, GradientStrategy, Strategy
from archwright.search import Search, budget, search
from archwright.spaces.space import Space

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from archwright.tasks import Task


@dataclass(frozen=True)
class Paper:
    """What was published.

    Attributes:
        citation: authors, year and title.
        rows: the rows of docs/survey.md that it is.
        headline: the paper's own result, with its cost where that is known.
        differs: where this recipe is not the paper's system, each in a sentence.
    """

    citation: str
    rows: tuple[str, ...]
    headline: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A published system. Its networks train by the task's own hyper-parameters where nothing else is said.

    Attributes:
        evaluations: the budget.
    """

    space: Space
    strategy: Strategy | GradientStrategy
    estimator: Estimator
    evaluations: int
    paper: Paper
    objectives: tuple[str, ...] = ("valid_accuracy",)

    def search(self, *, seed: int = 0, executor: Executor | None = None) -> Search:
        """The system at work: an `archwright.search` with the recipe's parts, bounded by its budget."""
        found = search(
            self.space, self.strategy, self.estimator, objectives=self.objectives, executor=executor, seed=seed
        )
        return budget(found, evaluations=self.evaluations)


Make = Callable[..., Recipe]


def recipe(function: Make) -> Make:
    """Marks a function `(task, scale=1.0) -> Recipe`.

    At `scale` 1 the recipe has its paper's numbers. A smaller scale multiplies the number of evaluations, and the sizes
    (epochs, population, filters, cells, layers) by its square root: see `fewer`, `smaller` and `faster`.
    """

    @functools.wraps(function)
    def make(task: Task, scale: float = 1.0) -> Recipe:
        if not 0.0 < scale <= 1.0:
            raise ArchwrightError(f"a recipe's scale is more than 0 and at most 1, the paper's own size, not {scale}")
        return function(task, scale)

    return make


def fewer(number: int, scale: float, least: int = 10) -> int:
    """A number of evaluations: `number` times `scale`, at least `least` (but never more than `number`)."""
    return min(number, max(least, round(number * scale)))


def smaller(number: int, scale: float, least: int = 1) -> int:
    """A size: `number` times the square root of `scale`, at least `least` (but never more than `number`).

    The root, because sizes multiply: a tenth of the epochs, filters and cells together would be nothing.
    """
    return min(number, max(least, round(number * math.sqrt(scale))))


def faster(rate: float, scale: float, most: float = 0.01) -> float:
    """A controller's learning rate: `rate` over the root of `scale`, at most `most` (but never less than `rate`).

    Fewer evaluations have to teach as much; at its paper's rate, meant for thousands, it would learn nothing from tens.
    """
    return max(rate, min(most, rate / math.sqrt(scale)))


def sizes(numbers: tuple[int, ...], scale: float, least: int = 4) -> tuple[int, ...]:
    """Sizes to choose from, each made `smaller`; they stay different, and in their order."""
    found: dict[int, int] = {}
    last = 0
    for number in sorted(numbers):
        last = found[number] = max(smaller(number, scale, least), last + 1)
    return tuple(found[number] for number in numbers)
