"""ENAS: Pham, Guan, Zoph, Le and Dean, 2018."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.estimators.trained_once import SEARCH
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def enas_macro(task: Task, scale: float = 1.0) -> Recipe:
    """ENAS (Pham et al., 2018) for whole networks: an LSTM names layers and skips, and all share weights."""
    return Recipe(
        space=spaces.enas_macro(layers=smaller(12, scale, 3), channels=smaller(36, scale, 4)),
        strategy=strategies.ENAS(
            steps=smaller(50, scale, 2), samples=smaller(20, scale, 2), learning_rate=1e-3, limit=1.5, op_limit=1.5
        ),
        estimator=estimators.WeightSharing(
            task,
            epochs=smaller(310, scale, 2),
            shared=replace(SEARCH, batch_size=smaller(128, scale, 32), learning_rate=0.05),
            affine=True,
        ),
        evaluations=smaller(310, scale, 2),
        paper=Paper(
            "Pham, Guan, Zoph, Le and Dean, 2018: Efficient Neural Architecture Search via Parameter Sharing",
            rows=("R24",),
            headline="CIFAR-10 test error 4.23 %",
            differs=("one cosine instead of restarts",),
        ),
    )


@recipe
def enas_micro(task: Task, scale: float = 1.0) -> Recipe:
    """ENAS (Pham et al., 2018) for cells: an LSTM names two cells, and all share weights."""
    return Recipe(
        space=spaces.enas_micro(cells=smaller(2, scale), channels=smaller(20, scale, 4)),
        strategy=strategies.ENAS(steps=smaller(30, scale, 2), samples=smaller(10, scale, 2)),
        estimator=estimators.WeightSharing(
            task,
            epochs=smaller(150, scale, 2),
            shared=replace(SEARCH, batch_size=smaller(160, scale, 32), learning_rate=0.05),
            affine=True,
        ),
        evaluations=smaller(150, scale, 2),
        paper=Paper(
            "Pham, Guan, Zoph, Le and Dean, 2018: Efficient Neural Architecture Search via Parameter Sharing",
            rows=("R24",),
            headline="CIFAR-10 test error 2.89 % (4.6M parameters, with cutout, .5 GPU days)",
            differs=("one cosine instead of restarts",),
        ),
    )
