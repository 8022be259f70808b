"""Hyperband: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def hyperband(task: Task, scale: float = 1.0) -> Recipe:
    """Hyperband (Li et al., 2017): many short trainings and few long ones, in five brackets of R = 81 epochs."""
    epochs = smaller(81, scale, 3)
    strategy = strategies.Hyperband(eta=3, lowest=1 / epochs)
    return Recipe(
        space=spaces.chain(max_layers=smaller(8, scale, 3), filters=sizes((16, 32, 64), scale)),
        strategy=strategy,
        estimator=estimators.Training(task, epochs=epochs),
        evaluations=max(  # each bracket once, at the least
            fewer(121 + 49 + 21 + 10 + 5, scale), sum(bracket.trials for bracket in strategy.brackets)
        ),
        paper=Paper(
            "Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, 2017: "
            "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
            rows=("E1",),
            headline="on some problems more than ten times as fast as the methods it is compared with",
            differs=(
                "it searches the layers of a network; in the paper it searches learning rate, batch size and the like",
                "what was trained for a shorter time goes on from there, it does not begin anew",
            ),
        ),
    )
