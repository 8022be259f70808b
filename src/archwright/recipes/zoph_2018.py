"""NASNet: Zoph, Vasudevan, Shlens and Le, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, faster, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def nasnet(task: Task, scale: float = 1.0) -> Recipe:
    """NASNet (Zoph et al., 2018): proximal policy optimisation over normal and reduction cells."""
    return Recipe(
        space=spaces.cell(cells=smaller(2, scale), filters=smaller(32, scale, 4)),
        strategy=strategies.PPO(batch=smaller(20, scale, 2), learning_rate=faster(3.5e-4, scale), entropy=1e-5),
        estimator=estimators.Training(task, epochs=smaller(20, scale)),
        evaluations=fewer(20_000, scale),
        paper=Paper(
            "Zoph, Vasudevan, Shlens and Le, 2018: Learning Transferable Architectures for Scalable Image Recognition",
            rows=("R3",),
            headline="CIFAR-10 test error 2.65 % (3.3M parameters, cutout), 2.40 % (27.6M); 2,000 GPU days",
            differs=(
                "the reward is the rank among all networks so far, not the accuracy",
                "one winner is trained to the end, not the best 250",
                "no ScheduledDropPath",
            ),
        ),
    )
