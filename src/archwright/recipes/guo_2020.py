"""Single Path One-Shot: Guo et al., 2020."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, strategies
from archwright.recipes.cai_2019 import mobile
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def spos(task: Task, scale: float = 1.0) -> Recipe:
    """SPOS (Guo et al., 2020): a uniformly random path a step, then evolution with shared weights."""
    return Recipe(
        space=mobile(scale),
        strategy=strategies.RegularizedEvolution(population=smaller(50, scale, 4), sample=smaller(10, scale, 2)),
        estimator=estimators.WeightSharing(task, epochs=smaller(120, scale, 2), affine=True),
        evaluations=fewer(1000, scale),
        paper=Paper(
            "Guo, Zhang, Mu, Heng, Liu, Wei and Sun, 2020: Single Path One-Shot Neural Architecture "
            "Search with Uniform Sampling",
            rows=("A5",),
            headline="ImageNet 74.7 % at 328M FLOPs",
            differs=(
                "strides are those for ImageNet: for small images give your own, --space.strides",
                "blocks are those of ProxylessNAS; the paper's are ShuffleNet's",
                "evolution is the regularised one: the paper's crosses and mutates the ten best",
            ),
        ),
    )
