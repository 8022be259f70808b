"""Genetic CNN: Xie and Yuille, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def genetic_cnn(task: Task, scale: float = 1.0) -> Recipe:
    """Genetic CNN (Xie and Yuille, 2017): a genetic algorithm over the bits of three stages."""
    return Recipe(
        space=spaces.genet(nodes=(3, 4, 5), filters=smaller(8, scale, 4)),
        strategy=strategies.GeneticCNN(
            population=smaller(20, scale, 4), crossover=0.2, crossover_share=0.2, mutation=0.8, mutation_rate=0.05
        ),
        estimator=estimators.Training(task, epochs=smaller(120, scale)),
        evaluations=fewer(1_020, scale),
        paper=Paper(
            "Xie and Yuille, 2017: Genetic CNN",
            rows=("R10",),
            headline="CIFAR-10 test error 7.10 %; about 17 GPU days",
            differs=(
                "the budget is 20 and 50 generations of 20; an individual that is known costs none of it here",
                "the number of epochs is ours",
            ),
        ),
    )
