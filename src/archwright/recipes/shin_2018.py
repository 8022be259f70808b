"""DAS: Shin, Packer and Song, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def das(task: Task, scale: float = 1.0) -> Recipe:
    """DAS (Shin et al., 2018): kernels and widths of a chain as continuous parameters."""
    return Recipe(
        space=spaces.elastic_chain(
            layers=smaller(3, scale, 2),
            filters=sizes((8, 16, 24, 32), scale, 2),
            units=sizes((16, 32, 64, 128), scale, 4),
        ),
        strategy=strategies.DAS(),
        estimator=estimators.WeightSharing(task, epochs=smaller(60, scale, 2), affine=True),
        evaluations=smaller(60, scale, 2),
        paper=Paper(
            "Shin, Packer and Song, 2018: Differentiable Neural Network Architecture Search",
            rows=("R28",),
            headline="the survey gives no figure",
            differs=(
                "sizes and epochs are ours; the paper's own numbers could not be checked",
                "a size between two options weighs both linearly; how the paper interpolates could not be checked",
            ),
        ),
    )
