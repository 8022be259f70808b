"""DrNAS: Chen et al., 2021."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.estimators.trained_once import SEARCH
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def dr_nas(task: Task, scale: float = 1.0) -> Recipe:
    """DrNAS (Chen et al., 2021): weights over candidates are drawn from Dirichlet distributions."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=6 * smaller(6, scale)),
        strategy=strategies.DrNAS(parts=6, warmup=0.4),
        estimator=estimators.WeightSharing(
            task, epochs=smaller(50, scale, 2), shared=replace(SEARCH, learning_rate=0.1)
        ),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Chen, Wang, Cheng, Tang and Hsieh, 2021: DrNAS: Dirichlet Neural Architecture Search",
            rows=("A7",),
            headline="CIFAR-10 test error 2.46 ± .03 % (4.1M parameters, .6 GPU days)",
            differs=("one stage of 50 epochs: the paper has two of 25, and drops half of the operations between",),
        ),
    )
