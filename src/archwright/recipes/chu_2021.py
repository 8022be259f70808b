"""FairNAS: Chu, Zhang and Xu, 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, strategies
from archwright.recipes.cai_2019 import mobile
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.supernets.sampling import FairNAS

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def fairnas(task: Task, scale: float = 1.0) -> Recipe:
    """FairNAS (Chu et al., 2021): each candidate trained equally often in each step, then NSGA-II."""
    return Recipe(
        space=mobile(scale, channels=32, blocks=2),
        strategy=strategies.NSGA2(population=smaller(70, scale, 4)),
        estimator=estimators.WeightSharing(task, epochs=smaller(150, scale, 2), sampling=FairNAS(), affine=True),
        evaluations=fewer(200 * 70, scale),
        paper=Paper(
            "Chu, Zhang and Xu, 2021: FairNAS: Rethinking Evaluation Fairness of Weight Sharing "
            "Neural Architecture Search",
            rows=("A5",),
            headline="ImageNet 77.5 % (FairNAS-A, with squeeze and excitation), 75.3 % without",
            differs=(
                "strides are those for ImageNet: for small images give your own, --space.strides",
                "two objectives, accuracy and FLOPs; the paper has the parameters beside",
                "results and stages are not checked against the paper",
            ),
        ),
        objectives=("valid_accuracy", "min:flops"),
    )
