"""One-shot with path dropout: Bender et al., 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.supernets.sampling import PathDropout

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def one_shot(task: Task, scale: float = 1.0) -> Recipe:
    """One-shot models (Bender et al., 2018): trained under path dropout, a fixed distribution; then random search."""
    return Recipe(
        space=spaces.darts(cells=smaller(8, scale, 3), channels=smaller(16, scale, 4)),
        strategy=strategies.Random(),
        estimator=estimators.WeightSharing(task, epochs=smaller(113, scale, 2), sampling=PathDropout(), affine=True),
        evaluations=fewer(20_000, scale, 4),
        paper=Paper(
            "Bender, Kindermans, Zoph, Vasudevan and Le, 2018: Understanding and Simplifying "
            "One-Shot Architecture Search",
            rows=("R29",),
            headline="CIFAR-10 test error about 4 %, as random search in its space",
            differs=(
                "the space is that of DARTS: the paper's has choice blocks of its own",
                "batch-norm is calibrated for each architecture; the paper's is computed on ghost batches",
                "the numbers of epochs and of architectures are not checked against the paper",
            ),
        ),
    )
