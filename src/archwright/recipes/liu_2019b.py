"""DARTS: Liu, Simonyan and Yang, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def darts(task: Task, scale: float = 1.0) -> Recipe:
    """DARTS of first order (Liu et al., 2019b): every candidate takes part with a softmax weight."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.DARTS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(50, scale, 2)),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Liu, Simonyan and Yang, 2019: DARTS: Differentiable Architecture Search",
            rows=("R25",),
            headline="CIFAR-10 test error 3.00 ± .14 % (3.3M parameters, .4 GPU days)",
            differs=(
                "pools have a batch-norm in the final network too",
                "the weights' learning rate falls to 0, there to .001",
                "one search: the paper keeps the best of four on the validation split",
            ),
        ),
    )


@recipe
def unrolled_darts(task: Task, scale: float = 1.0) -> Recipe:
    """DARTS of second order (Liu et al., 2019b): the validation loss after one more step of the weights."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.UnrolledDARTS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(50, scale, 2)),
        evaluations=smaller(50, scale, 2),
        paper=Paper(
            "Liu, Simonyan and Yang, 2019: DARTS: Differentiable Architecture Search",
            rows=("R25",),
            headline="CIFAR-10 test error 2.76 ± .09 % (3.3M parameters, 1 GPU day a run)",
            differs=("as in `darts`",),
        ),
    )
