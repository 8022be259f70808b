"""Freeze-thaw Bayesian optimisation: Swersky, Snoek and Adams, 2014."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def freeze_thaw(task: Task, scale: float = 1.0) -> Recipe:
    """Freeze-thaw (Swersky et al., 2014): trainings paused and continued by what their curves promise."""
    epochs = smaller(100, scale, 4)
    steps = min(epochs, 20)
    return Recipe(
        space=spaces.chain(max_layers=smaller(8, scale, 3), filters=sizes((16, 32, 64), scale)),
        strategy=strategies.FreezeThaw(
            levels=tuple((step + 1) / steps for step in range(steps)), initial=smaller(5, scale, 3)
        ),
        estimator=estimators.Training(task, epochs=epochs),
        evaluations=fewer(1_000, scale),
        paper=Paper(
            "Swersky, Snoek and Adams, 2014: Freeze-Thaw Bayesian Optimization",
            rows=("E2",),
            headline="better at equal epochs than Bayesian optimisation of whole trainings, on three kinds of models",
            differs=(
                "it searches the layers of a network; in the paper it searches hyper-parameters of other models",
                "what goes on is what promises most for what it costs; the paper asks what tells most about the best",
                "losses are expected to fall, and the parameters of the model are fitted, not sampled",
                "the space, the epochs, their steps and the number of evaluations are ours",
            ),
        ),
    )
