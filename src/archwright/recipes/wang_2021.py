"""DARTS-PT: Wang et al., 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def darts_pt(task: Task, scale: float = 1.0) -> Recipe:
    """DARTS-PT (Wang et al., 2021): DARTS, then what the network loses without a candidate decides."""
    return Recipe(
        space=spaces.darts(nodes=smaller(4, scale, 2), cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.DARTSPT(epochs=smaller(5, scale)),
        estimator=estimators.WeightSharing(task, epochs=smaller(50, scale, 2)),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Wang, Cheng, Chen, Tang and Hsieh, 2021: Rethinking Architecture Selection in Differentiable NAS",
            rows=("A9",),
            headline="CIFAR-10 test error 2.61 ± .08 % (3.0M parameters, .8 GPU days)",
            differs=("pools have a batch-norm in the final network too",),
        ),
    )
