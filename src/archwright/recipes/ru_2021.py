"""NAS-BOWL: Ru, Wan, Dong and Osborne, 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.spaces import ops

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def nas_bowl(task: Task, scale: float = 1.0) -> Recipe:
    """NAS-BOWL (Ru et al., 2021): a Gaussian process with a Weisfeiler-Lehman kernel on graphs."""
    return Recipe(
        space=spaces.cell(blocks=4, operations=ops.DARTS_OPS, cells=smaller(2, scale), filters=smaller(16, scale, 4)),
        strategy=strategies.NASBOWL(initial=smaller(30, scale, 3)),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(150, scale),
        paper=Paper(
            "Ru, Wan, Dong and Osborne, 2021: "
            "Interpretable Neural Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels",
            rows=("A3",),
            headline="CIFAR-10 test error 2.61 ± .08 %",
            differs=(
                "blocks that another block reads do not enter the cell's output, as in NASNet; in DARTS all four do",
                "normal and reduction cell differ, and cells, epochs and the number of evaluations are ours",
            ),
        ),
    )
