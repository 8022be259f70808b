"""MetaQNN: Baker, Gupta, Naik and Raskar, 2017."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def metaqnn(task: Task, scale: float = 1.0) -> Recipe:
    """MetaQNN (Baker et al., 2017a): Q-learning over chains of layers."""
    return Recipe(
        space=spaces.metaqnn(
            max_layers=smaller(9, scale, 3),
            filters=sizes((64, 128, 256, 512), scale),
            units=sizes((512, 256, 128), scale),
        ),
        strategy=strategies.QLearning(horizon=fewer(2_700, scale), learning_rate=0.01, replay=100),
        estimator=estimators.Training(
            task,
            epochs=smaller(20, scale),
            hyperparameters=replace(task.hyperparameters, optimizer="adamw", learning_rate=1e-3),
        ),
        evaluations=fewer(2_700, scale),
        paper=Paper(
            "Baker, Gupta, Naik and Raskar, 2017: Designing Neural Network Architectures using Reinforcement Learning",
            rows=("R1",),
            headline="CIFAR-10 test error 6.92 % (ensemble of 5: 7.32 %); 10 GPUs for 8 to 10 days",
            differs=(
                "a network that does not learn is not tried again with a smaller learning rate",
                "batch-norm follows every convolution, and no dropout",
                "one winner is trained, no ensemble",
            ),
        ),
    )
