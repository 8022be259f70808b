"""NASH: Elsken, Metzen and Hutter, 2017."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def nash(task: Task, scale: float = 1.0) -> Recipe:
    """NASH (Elsken et al., 2017): hill climbing by network morphisms, each child trained on from its parent."""
    given = replace(task.hyperparameters, optimizer="sgd", learning_rate=0.05, warmup=0.0)
    return Recipe(
        space=spaces.growing(max_layers=smaller(6, scale, 2), widths=sizes((32, 64, 128, 256), scale)),
        strategy=strategies.NASH(children=8, morphisms=5),
        estimator=estimators.Inherited(estimators.Training(task, epochs=smaller(17, scale), hyperparameters=given)),
        evaluations=fewer(1 + 5 * 8, scale),
        paper=Paper(
            "Elsken, Metzen and Hutter, 2017: "
            "Simple and Efficient Architecture Search for Convolutional Neural Networks",
            rows=("R15",),
            headline="CIFAR-10 test error 5.2 % in a day on one GPU, below 6 % in 12 hours; ensemble 4.4 %",
            differs=(
                "the space has bounds, and larger kernels and parallel branches beside the paper's morphisms",
                "the winner is trained from scratch; in the paper it trains on for 100 epochs",
                "one winner is trained, no ensemble",
            ),
        ),
    )
