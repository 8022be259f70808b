"""Auto-Keras: Jin, Song and Hu, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def auto_keras(task: Task, scale: float = 1.0) -> Recipe:
    """Auto-Keras (Jin et al., 2018): Bayesian optimisation chooses the morphisms that a network grows by."""
    return Recipe(
        space=spaces.growing(max_layers=smaller(6, scale, 2), widths=sizes((64, 128, 256), scale)),
        strategy=strategies.AutoKeras(coldest=0.01 if scale == 1.0 else 0.1),
        estimator=estimators.Inherited(estimators.Training(task, epochs=smaller(50, scale))),
        evaluations=fewer(100, scale),
        paper=Paper(
            "Jin, Song and Hu, 2018: Auto-Keras: Efficient Neural Architecture Search with Network Morphism",
            rows=("R33",),
            headline="errors on MNIST, CIFAR-10 and Fashion-MNIST, of which we could check none",
            differs=(
                "the first network is the smallest of the space, in place of three convolutions",
                "the kernel's width suits the losses, and the Gram matrix is made positive definite by its diagonal",
                "epochs and the number of evaluations are ours: the paper bounds hours",
            ),
        ),
    )
