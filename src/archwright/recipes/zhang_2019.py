"""Graph hypernetworks: Zhang, Ren and Urtasun, 2019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.supernets.hypernetworks import GraphHypernetwork

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def ghn(task: Task, scale: float = 1.0) -> Recipe:
    """GHN (Zhang et al., 2019): a graph network reads an architecture and writes its weights."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.Random(),
        estimator=estimators.Hypernetwork(task, epochs=smaller(200, scale, 2), weights=GraphHypernetwork()),
        evaluations=fewer(1000, scale, 4),
        paper=Paper(
            "Zhang, Ren and Urtasun, 2019: Graph HyperNetworks for Neural Architecture Search",
            rows=("R30",),
            headline="CIFAR-10 test error 2.84 ± .07 % (5.7M parameters, .84 GPU days)",
            differs=(
                "vertices are the modules of the whole network; the paper's are those of a cell, "
                "whose graph is repeated",
            ),
        ),
    )
