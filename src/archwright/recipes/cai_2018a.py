"""EAS: Cai, Chen, Zhang, Yu and Wang, 2018."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def eas(task: Task, scale: float = 1.0) -> Recipe:
    """EAS (Cai et al., 2018a): reinforcement learning widens and deepens a trained network by Net2Net."""
    return Recipe(
        space=spaces.eas(
            widths=sizes((16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640), scale),
            units=sizes((64, 128, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280), scale),
        ),
        strategy=strategies.EAS(networks=smaller(10, scale, 3), stage=fewer(150, scale, 6), wider=4, deeper=5),
        estimator=estimators.Inherited(
            estimators.Training(
                task,
                epochs=smaller(20, scale),
                hyperparameters=replace(task.hyperparameters, optimizer="sgd", learning_rate=0.02, warmup=0.0),
            )
        ),
        evaluations=fewer(1 + 450, scale),
        paper=Paper(
            "Cai, Chen, Zhang, Yu and Wang, 2018: Efficient Architecture Search by Network Transformation",
            rows=("R5",),
            headline="CIFAR-10 test error 4.23 % (plain networks), 3.44 % (DenseNets); 5 GPUs, about 10 GPU days",
            differs=(
                "the plain networks, not the DenseNets",
                "an actor draws one morphism after the other; the paper's wider actor decides about all layers at once",
                "a reward is where an evaluation stands among all so far, in place of a tangent of the accuracy",
                "no noise on the weights that a wider layer repeats (in the paper 0.01, for fully connected 0.001)",
                "the first network is the smallest of the space, and trains as long as all others",
                "the numbers of evaluations and of networks a stage are ours",
            ),
        ),
    )
