"""Path-level transformation: Cai, Yang, Zhang, Han and Yu, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def path_level(task: Task, scale: float = 1.0) -> Recipe:
    """Path-level transformation (Cai et al., 2018b): reinforcement learning turns a cell's layers into trees."""
    depth = smaller(3, scale)
    return Recipe(
        space=spaces.path_level(width=smaller(48, scale, 4), stages=smaller(3, scale, 2), depth=depth),
        strategy=strategies.PathLevel(
            networks=smaller(10, scale, 3), stage=fewer(150, scale, 6), morphisms=smaller(8, scale, 2)
        ),
        estimator=estimators.Inherited(estimators.Training(task, epochs=smaller(20, scale))),
        evaluations=fewer(1 + 450, scale),
        paper=Paper(
            "Cai, Yang, Zhang, Han and Yu, 2018: Path-Level Network Transformation for Efficient Architecture Search",
            rows=("R6",),
            headline="CIFAR-10 test error 2.49 % (5.7M parameters), 2.30 % (14.3M); about 200 GPU hours",
            differs=(
                "cells stand in a plain network of three stages, not in DenseNet or PyramidNet",
                "the actor draws morphisms of the whole tree, one after the other; the paper's goes from node to node",
                "a reward is where an evaluation stands among all so far, in place of a tangent of the accuracy",
                "the sizes of the network, epochs and the number of evaluations are ours",
            ),
        ),
    )
