"""Random search with early stopping, ASHA: Li and Talwalkar, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.spaces import ops

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def asha(task: Task, scale: float = 1.0) -> Recipe:
    """ASHA (Li and Talwalkar, 2019): random cells, of which the best quarter trains on, from 1 epoch to 300."""
    epochs = smaller(300, scale, 4)
    once = strategies.SuccessiveHalving(eta=4, lowest=1 / epochs).brackets[0]  # with one at full fidelity
    return Recipe(
        space=spaces.cell(blocks=4, operations=ops.DARTS_OPS, cells=smaller(2, scale), filters=smaller(16, scale, 4)),
        strategy=strategies.ASHA(eta=4, lowest=1 / epochs),
        estimator=estimators.Training(task, epochs=epochs),
        evaluations=max(fewer(700 + 175 + 43 + 10 + 2, scale), once.trials),  # 700 architectures, and their promotions
        paper=Paper(
            "Li and Talwalkar, 2019: Random Search and Reproducibility for Neural Architecture Search",
            rows=("R32",),
            headline="CIFAR-10 test error 3.03 ± .13 % (9 GPU days, 700 architectures and more)",
            differs=(
                "blocks that another block reads do not enter the cell's output, as in NASNet; in DARTS all four do",
                "the lowest rung is 300 / 256 of an epoch, which is one",
            ),
        ),
    )
