"""Random search: Li and Talwalkar, 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.estimators.trained_once import SEARCH
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
            ),
        ),
    )


@recipe
def rsws(task: Task, scale: float = 1.0) -> Recipe:
    """RSWS (Li and Talwalkar, 2019): one random architecture a step, then the best of many with shared weights."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(24, scale, 4)),
        strategy=strategies.Random(),
        estimator=estimators.WeightSharing(
            task, epochs=smaller(150, scale, 2), shared=replace(SEARCH, gradient_clip=1.0)
        ),
        evaluations=fewer(5000, scale, 4),
        paper=Paper(
            "Li and Talwalkar, 2019: Random Search and Reproducibility for Neural Architecture Search",
            rows=("R32",),
            headline="CIFAR-10 test error 2.85 ± .08 % (4.3M parameters, 9.7 GPU days in all)",
            differs=("one run: the paper trains the finds of four and keeps the best",),
        ),
    )
