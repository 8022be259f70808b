"""Convolutional neural fabrics: Saxena and Verbeek, 2016."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def fabrics(task: Task, scale: float = 1.0) -> Recipe:
    """Convolutional neural fabrics (Saxena and Verbeek, 2016): one trellis holds exponentially many networks."""
    return Recipe(
        space=spaces.fabric(layers=smaller(8, scale, 2), scales=smaller(6, scale, 2), channels=smaller(64, scale, 4)),
        strategy=strategies.DARTS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(100, scale, 2)),
        evaluations=smaller(100, scale, 2),
        paper=Paper(
            "Saxena and Verbeek, 2016: Convolutional Neural Fabrics",
            rows=("S18",),
            headline="CIFAR-10 test error 7.43 % (with augmentation)",
            differs=(
                "the paper trains and keeps the whole fabric; here its ways are weighed as in DARTS, "
                "and the likeliest network is kept",
                "the number of epochs is ours",
            ),
        ),
    )
