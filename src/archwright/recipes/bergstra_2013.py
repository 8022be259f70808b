"""TPE: Bergstra, Yamins and Cox, 2013."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def tpe(task: Task, scale: float = 1.0) -> Recipe:
    """TPE (Bergstra et al., 2013): tree-structured Parzen estimators over a conditional space."""
    return Recipe(
        space=spaces.chain(max_layers=smaller(8, scale, 3), filters=sizes((16, 32, 64), scale)),
        strategy=strategies.TPE(initial=smaller(50, scale, 3), gamma=0.25),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(800, scale),
        paper=Paper(
            "Bergstra, Yamins and Cox, 2013: Making a Science of Model Search",
            rows=("R18",),
            headline="CIFAR-10 test error 21.2 ± .8 % after 800 trials; random search 23.4 % after 2,000",
            differs=(
                "the space is the chain one; the paper's 238 hyper-parameters are of random filters and a linear SVM",
                "the number of epochs is ours",
            ),
        ),
    )
