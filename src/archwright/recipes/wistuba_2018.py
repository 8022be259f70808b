"""Tree search: Wistuba, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def uct(task: Task, scale: float = 1.0) -> Recipe:
    """UCT (Wistuba, 2018): Monte Carlo tree search over the NASNet cells, one decision a level."""
    return Recipe(
        space=spaces.cell(cells=smaller(2, scale), filters=smaller(32, scale, 4)),
        strategy=strategies.TreeSearch(),
        estimator=estimators.Training(task, epochs=smaller(20, scale)),
        evaluations=fewer(1_000, scale),
        paper=Paper(
            "Wistuba, 2018: Finding Competitive Network Architectures Within a Day Using UCT",
            rows=("R22",),
            headline="competitive in 1 GPU day, better at 5",
            differs=("epochs, cells and the number of evaluations are ours: the paper bounds days",),
        ),
    )
