"""SNAS: Xie, Zheng, Liu and Lin, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def snas(task: Task, scale: float = 1.0) -> Recipe:
    """SNAS (Xie et al., 2019): samples of a concrete distribution; one loss for weights and architecture."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.SNAS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(150, scale, 2)),
        evaluations=smaller(150, scale, 2),
        paper=Paper(
            "Xie, Zheng, Liu and Lin, 2019: SNAS: Stochastic Neural Architecture Search",
            rows=("R26",),
            headline="CIFAR-10 test error 2.85 ± .02 % (2.8M parameters, 1.5 GPU days)",
            differs=(
                "there is no resource constraint: give one by --strategy.penalty.cost parameters",
                "nodes keep two edges, as in DARTS",
            ),
        ),
    )
