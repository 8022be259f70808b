"""MaskConnect: Ahmed and Torresani, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def mask_connect(task: Task, scale: float = 1.0) -> Recipe:
    """MaskConnect (Ahmed and Torresani, 2018): which earlier modules a module reads, learnt with the weights."""
    return Recipe(
        space=spaces.maskconnect(
            modules=[smaller(count, scale, 2) for count in (3, 3, 3)],
            channels=smaller(64, scale, 8),
            cardinality=smaller(8, scale, 2),
            width=smaller(8, scale, 2),
        ),
        strategy=strategies.MaskConnect(),
        estimator=estimators.WeightSharing(task, epochs=smaller(120, scale, 2), affine=True),
        evaluations=smaller(120, scale, 2),
        paper=Paper(
            "Ahmed and Torresani, 2018: MaskConnect: Connectivity Learning by Gradient Descent",
            rows=("R28", "S20"),
            headline="CIFAR-100: better than fixed connectivity in ResNeXt and ResNet of the same sizes",
            differs=("sizes and epochs are ours",),
        ),
    )
