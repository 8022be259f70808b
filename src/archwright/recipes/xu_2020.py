"""PC-DARTS: Xu et al., 2020."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.estimators.trained_once import SEARCH
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def pc_darts(task: Task, scale: float = 1.0) -> Recipe:
    """PC-DARTS (Xu et al., 2020): DARTS on a quarter of the channels, with weights over edges."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.PCDARTS(),
        estimator=estimators.WeightSharing(
            task,
            epochs=smaller(50, scale, 2),
            shared=replace(SEARCH, batch_size=smaller(256, scale, 32), learning_rate=0.1),
        ),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Xu, Xie, Zhang, Chen, Qi, Tian and Xiong, 2020: PC-DARTS: Partial Channel Connections "
            "for Memory-Efficient Architecture Search",
            rows=("A7",),
            headline="CIFAR-10 test error 2.57 ± .07 % (3.6M parameters, .1 GPU days)",
            differs=("pools have a batch-norm in the final network too",),
        ),
    )
