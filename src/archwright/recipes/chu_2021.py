"""FairNAS: Chu, Zhang and Xu, 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller
from archwright.supernets.sampling import FairNAS

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def fairnas(task: Task, scale: float = 1.0) -> Recipe:
    """FairNAS (Chu et al., 2021): each candidate trained equally often in each step, then NSGA-II."""
    return Recipe(
        space=spaces.proxyless(
            channels=sizes((32, 40, 80, 96, 192, 320), scale),
            blocks=[smaller(count, scale, 2) for count in (2, 4, 4, 4, 4)] + [1],
            stem=(smaller(32, scale, 4), smaller(16, scale, 4)),
            head=smaller(1280, scale, 16),
        ),
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
