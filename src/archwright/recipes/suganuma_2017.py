"""CGP-CNN: Suganuma, Shirakawa and Nagao, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def cgp_cnn(task: Task, scale: float = 1.0) -> Recipe:
    """CGP-CNN (Suganuma et al., 2017): (1 + 2) evolution with neutral drift on a Cartesian grid."""
    return Recipe(
        space=spaces.cgp(
            rows=5,
            columns=smaller(30, scale, 4),
            levels_back=smaller(10, scale, 2),
            filters=sizes((32, 64, 128), scale),
        ),
        strategy=strategies.CGP(offspring=2, rate=0.05),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(1_000, scale),
        paper=Paper(
            "Suganuma, Shirakawa and Nagao, 2017: A Genetic Programming Approach to Designing CNN Architectures",
            rows=("R11",),
            headline="CIFAR-10 test error 6.75 % (ConvSet), 5.98 % (ResSet)",
            differs=(
                "fitness is the accuracy after the last epoch, not the best of the last 10",
                "as many nodes are active as the output needs; the paper keeps 10 to 50",
                "the number of evaluations is ours",
            ),
        ),
    )
