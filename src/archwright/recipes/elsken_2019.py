"""LEMONADE: Elsken, Metzen and Hutter, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def lemonade(task: Task, scale: float = 1.0) -> Recipe:
    """LEMONADE (Elsken et al., 2019): accuracy and parameters at once; Lamarckian, parents where the front is thin."""
    return Recipe(
        space=spaces.growing(max_layers=smaller(6, scale, 2), widths=sizes((16, 32, 64, 128), scale)),
        strategy=strategies.LEMONADE(start=smaller(10, scale, 4), cheap=("parameters",)),
        estimator=estimators.Inherited(estimators.Training(task, epochs=smaller(20, scale)), distillation=1),
        evaluations=fewer(1_000, scale),
        objectives=("valid_accuracy", "parameters"),
        paper=Paper(
            "Elsken, Metzen and Hutter, 2019: "
            "Efficient Multi-Objective Neural Architecture Search via Lamarckian Evolution",
            rows=("R14",),
            headline="CIFAR-10 test error 2.58 % (13.1M parameters), 3.05 % (4.7M); 8 GPUs for a week",
            differs=(
                "whole networks (the paper's space I) within bounds, not its cells",
                "a child differs by decisions of the space, one on average: morphisms and approximate ones, which make "
                "a network smaller, are among them; what is neither inherits what it can",
                "every child is evaluated, none is filtered by its cheap objectives first",
                "epochs, those of distillation, and the number of evaluations are ours",
            ),
        ),
    )
