"""Random search: Li and Talwalkar, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.spaces import ops

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def random_search(task: Task, scale: float = 1.0) -> Recipe:
    """Random search (Li and Talwalkar, 2019): the baseline, over cells with the operations of DARTS."""
    return Recipe(
        space=spaces.cell(blocks=4, operations=ops.DARTS_OPS, cells=smaller(2, scale), filters=smaller(16, scale, 4)),
        strategy=strategies.Random(),
        estimator=estimators.Training(task, epochs=smaller(300, scale)),
        evaluations=fewer(700, scale),
        paper=Paper(
            "Li and Talwalkar, 2019: Random Search and Reproducibility for Neural Architecture Search",
            rows=("R32",),
            headline="CIFAR-10 test error 3.03 ± .13 % (ASHA, 9 GPU days, 700 architectures and more)",
            differs=(
                "every architecture trains to the end: ASHA stops most of them early (r = 1, R = 300, eta = 4)",
                "blocks that another block reads do not enter the cell's output, as in NASNet; in DARTS all four do",
                "weight sharing, the paper's other variant, is not there",
            ),
        ),
    )
