"""NASBOT: Kandasamy, Neiswanger, Schneider, Poczos and Xing, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def nasbot(task: Task, scale: float = 1.0) -> Recipe:
    """NASBOT (Kandasamy et al., 2018): Bayesian optimisation with an optimal-transport distance between networks."""
    return Recipe(
        space=spaces.multibranch(layers=smaller(12, scale, 4), filters=sizes((16, 32, 64, 128), scale)),
        strategy=strategies.NASBOT(initial=smaller(10, scale, 3)),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(100, scale),
        paper=Paper(
            "Kandasamy, Neiswanger, Schneider, Poczos and Xing, 2018: "
            "Neural Architecture Search with Bayesian Optimisation and Optimal Transport",
            rows=("R17",),
            headline="CIFAR-10 test error 8.69 %, trained long",
            differs=(
                "the space is the multi-branch one: the paper's has residual blocks and fully connected layers too",
                "a change is one decision of the space, where the paper has edits of a graph",
                "epochs and the number of evaluations are ours: the paper bounds hours",
            ),
        ),
    )
