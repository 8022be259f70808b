"""GDAS: Dong and Yang, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def gdas(task: Task, scale: float = 1.0) -> Recipe:
    """GDAS (Dong and Yang, 2019): one candidate of each choice a step, by a hard Gumbel-softmax."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.GDAS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(250, scale, 2)),
        evaluations=smaller(250, scale, 2),
        paper=Paper(
            "Dong and Yang, 2019: Searching for a Robust Neural Architecture in Four GPU Hours",
            rows=("A7",),
            headline="CIFAR-10 test error 2.93 % (3.4M parameters, .3 GPU days)",
            differs=("the number of epochs is that of the authors' code",),
        ),
    )
