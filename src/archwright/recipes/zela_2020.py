"""RobustDARTS: Zela et al., 2020."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def robust_darts(task: Task, scale: float = 1.0) -> Recipe:
    """RobustDARTS (Zela et al., 2020): DARTS, ended before the validation loss becomes sharp; in space S2."""
    return Recipe(
        space=spaces.robust_darts("S2", cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.RobustDARTS(window=smaller(5, scale), delta=smaller(4, scale), begin=smaller(10, scale)),
        estimator=estimators.WeightSharing(task, epochs=smaller(50, scale, 2)),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Zela, Elsken, Saikia, Marrakchi, Brox and Hutter, 2020: Understanding and Robustifying "
            "Differentiable Architecture Search",
            rows=("A8",),
            headline="CIFAR-10 test error in S2: DARTS 4.85 %, with the stop 3.26 %, with L2 3.31 %",
            differs=("the paper repeats the search and keeps the best of several",),
        ),
    )
