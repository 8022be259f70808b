"""LEMONADE: Elsken, Metzen and Hutter, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def lemonade(task: Task, scale: float = 1.0) -> Recipe:
    """LEMONADE (Elsken et al., 2019): accuracy and parameters at once; parents where the front is thin."""
    return Recipe(
        space=spaces.cell(cells=smaller(2, scale), filters=smaller(16, scale, 4)),
        strategy=strategies.LEMONADE(start=smaller(10, scale, 4), cheap=("parameters",)),
        estimator=estimators.Training(task, epochs=smaller(20, scale)),
        evaluations=fewer(1_000, scale),
        objectives=("valid_accuracy", "parameters"),
        paper=Paper(
            "Elsken, Metzen and Hutter, 2019: "
            "Efficient Multi-Objective Neural Architecture Search via Lamarckian Evolution",
            rows=("R14",),
            headline="CIFAR-10 test error 2.58 % (13.1M parameters), 3.05 % (4.7M); 8 GPUs for a week",
            differs=(
                "the sampling only: a child trains from scratch, in the paper it inherits weights by morphisms",
                "every child is evaluated, none is filtered by its cheap objectives first",
                "cells, epochs and the number of evaluations are ours",
            ),
        ),
    )
