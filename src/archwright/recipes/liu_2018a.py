"""PNAS: Liu, Zoph, Neumann, Shlens, Hua, Li, Fei-Fei, Yuille, Huang and Murphy, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def pnas(task: Task, scale: float = 1.0) -> Recipe:
    """PNAS (Liu et al., 2018a): cells grow block by block, led by a learnt surrogate."""
    return Recipe(
        space=spaces.pnas(blocks=5, cells=smaller(2, scale), filters=smaller(24, scale, 4)),
        strategy=strategies.PNAS(beam=smaller(256, scale, 4)),
        estimator=estimators.Training(task, epochs=smaller(20, scale)),
        evaluations=fewer(1_160, scale),
        paper=Paper(
            "Liu et al., 2018: Progressive Neural Architecture Search",
            rows=("R23",),
            headline="CIFAR-10 test error 3.41 ± .09 % (3.2M parameters); 225 GPU days",
        ),
    )
