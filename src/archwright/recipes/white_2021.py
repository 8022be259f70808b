"""BANANAS: White, Neiswanger and Savani, 2021."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.spaces import ops

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def bananas(task: Task, scale: float = 1.0) -> Recipe:
    """BANANAS (White et al., 2021): an ensemble of predictors on the path encoding."""
    return Recipe(
        space=spaces.cell(blocks=4, operations=ops.DARTS_OPS, cells=smaller(2, scale), filters=smaller(16, scale, 4)),
        strategy=strategies.BANANAS(initial=smaller(10, scale, 3), every=smaller(10, scale, 2), candidates=100),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(100, scale),
        paper=Paper(
            "White, Neiswanger and Savani, 2021: "
            "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search",
            rows=("A2",),
            headline="CIFAR-10 test error 2.57 % at best, 2.64 % on average",
            differs=(
                "blocks that another block reads do not enter the cell's output, as in NASNet; in DARTS all four do",
                "cells are ours",
            ),
        ),
    )
