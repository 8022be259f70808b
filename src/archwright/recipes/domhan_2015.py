"""Curve extrapolation: Domhan, Springenberg and Hutter, 2015."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import curves, estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def domhan(task: Task, scale: float = 1.0) -> Recipe:
    """SMAC with trainings ended early by their curves (Domhan et al., 2015)."""
    return Recipe(
        space=spaces.chain(max_layers=smaller(8, scale, 3), filters=sizes((16, 32, 64), scale)),
        strategy=strategies.SMAC(initial=smaller(10, scale, 3)),
        estimator=estimators.EarlyStopping(
            estimators.Training(task, epochs=smaller(100, scale, 3)),
            by=curves.ParametricMixture(
                walkers=100, steps=smaller(2_500, scale, 150), burn_in=smaller(500, scale, 50), thin=10
            ),
            threshold=0.05,
            every=smaller(10, scale),
            warmup=smaller(10, scale),
        ),
        evaluations=fewer(200, scale),
        paper=Paper(
            "Domhan, Springenberg and Hutter, 2015: Speeding up Automatic Hyperparameter Optimization of Deep Neural "
            "Networks by Extrapolation of Learning Curves",
            rows=("R20", "E2"),
            headline="CIFAR-10 test error 8.81 % without augmentation",
            differs=(
                "the space is the chain one; the paper's has the hyper-parameters of training too",
                "SMAC alone, the paper has TPE beside it: give any other strategy to this estimator",
                "the learning rate falls along the task's schedule, which may raise scores late, as no family does",
                "epochs, the number of evaluations and how often a curve is extrapolated are ours",
            ),
        ),
    )
