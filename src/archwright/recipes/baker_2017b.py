"""Performance prediction from curves: Baker, Gupta, Raskar and Naik, 2017."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from archwright import curves, estimators
from archwright.recipes.baker_2017 import metaqnn
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.estimators import Training
    from archwright.tasks import Task


@recipe
def baker_curves(task: Task, scale: float = 1.0) -> Recipe:
    """MetaQNN with trainings ended early by a support-vector regression (Baker et al., 2017b)."""
    plain = metaqnn(task, scale)
    training = replace(cast("Training", plain.estimator), epochs=smaller(20, scale, 3))
    return replace(
        plain,
        estimator=estimators.EarlyStopping(
            training,
            by=curves.SupportVectors(least=fewer(100, scale, 5)),
            threshold=0.05,
            every=smaller(5, scale),
            warmup=smaller(5, scale),
        ),
        paper=Paper(
            "Baker, Gupta, Raskar and Naik, 2017: Accelerating Neural Architecture Search using Performance Prediction",
            rows=("R1", "E2"),
            headline="MetaQNN up to 6 times faster",
            differs=(
                *plain.paper.differs,
                "the first trainings of the search are those that the regression learns from, and later ones that "
                "were not ended join them; in the paper 100 are trained beforehand",
                "a prediction knows parameters and FLOPs, not the number of layers",
                "how often a curve is extrapolated is ours",
            ),
        ),
    )
