"""AmoebaNet: Real, Aggarwal, Huang and Le, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.spaces import ops

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def amoebanet(task: Task, scale: float = 1.0) -> Recipe:
    """AmoebaNet (Real et al., 2019): aging evolution over the NASNet cells."""
    return Recipe(
        space=spaces.cell(operations=ops.AMOEBANET_OPS, cells=smaller(3, scale), filters=smaller(24, scale, 4)),
        strategy=strategies.RegularizedEvolution(population=smaller(100, scale, 4), sample=smaller(25, scale, 2)),
        estimator=estimators.Training(task, epochs=smaller(25, scale)),
        evaluations=fewer(20_000, scale),
        paper=Paper(
            "Real, Aggarwal, Huang and Le, 2019: Regularized Evolution for Image Classifier Architecture Search",
            rows=("R9",),
            headline="CIFAR-10 test error 3.34 ± .06 % (A, 3.2M parameters), 2.55 ± .05 % (B, 2.8M); 3,150 GPU days",
            differs=("a mutation changes any one decision; in the paper nothing is changed with probability .05",),
        ),
    )
