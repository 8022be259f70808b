"""BOHB for networks: Zela, Klein, Falkner and Hutter, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def bohb(task: Task, scale: float = 1.0) -> Recipe:
    """BOHB (Zela et al., 2018): Hyperband with densities of good and bad, over networks with free skip connections."""
    epochs = smaller(108, scale, 3)
    strategy = strategies.BOHB(
        strategies.KernelDensity(share=0.15, candidates=64, interleaved=1 / 3, widened=3.0),
        eta=3,
        lowest=max(1 / 27, 1 / epochs),
    )
    return Recipe(
        space=spaces.multibranch(layers=smaller(8, scale, 3), filters=sizes((16, 32, 64), scale)),
        strategy=strategy,
        estimator=estimators.Training(task, epochs=epochs),
        evaluations=max(fewer(256, scale), sum(bracket.trials for bracket in strategy.brackets)),  # each at least once
        paper=Paper(
            "Zela, Klein, Falkner and Hutter, 2018: "
            "Towards Automated Deep Learning: Efficient Joint Neural Architecture and Hyperparameter Search",
            rows=("R21",),
            headline="CIFAR-10 test error 3.18 % with 3 hours of training",
            differs=(
                "architecture only: learning rate, batch size, momentum, weight decay and augmentation, "
                "which the paper searches jointly with it, are the estimator's",
                "layers with free skip connections, residual networks among them, in place of residual blocks of "
                "several branches",
                "a fidelity is a share of the epochs; in the paper it is one of the seconds (400 to 10,800)",
                "epochs and the number of evaluations are ours",
            ),
        ),
    )
