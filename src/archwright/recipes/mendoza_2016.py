"""Auto-Net: Mendoza, Klein, Feurer, Springenberg and Hutter, 2016."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def auto_net(task: Task, scale: float = 1.0) -> Recipe:
    """Auto-Net (Mendoza et al., 2016): SMAC over fully connected networks."""
    return Recipe(
        space=spaces.autonet(max_layers=6, units=(smaller(64, scale, 8), smaller(4_096, scale, 64))),
        strategy=strategies.SMAC(initial=smaller(10, scale, 3), trees=10, interleaved=0.5),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(1_000, scale),
        paper=Paper(
            "Mendoza, Klein, Feurer, Springenberg and Hutter, 2016: Towards Automatically-Tuned Neural Networks",
            rows=("R19",),
            headline="the first automatically tuned network to win against human experts (alexis: AUC 90 against 80)",
            differs=(
                "solver, learning rate and policy, batch size, updates and L2 are the estimator's, not decisions",
                "one winner is trained, no ensemble",
                "epochs and the number of evaluations are ours: the paper bounds hours",
            ),
        ),
    )
