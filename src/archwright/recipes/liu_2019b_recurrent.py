"""DARTS for recurrent cells: Liu, Simonyan and Yang, 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, recipe, smaller
from archwright.tasks.text import RECURRENT

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def darts_rnn(task: Task, scale: float = 1.0) -> Recipe:
    """DARTS (Liu et al., 2019b), first order: a recurrent cell for language modelling."""
    units = smaller(300, scale, 16)
    epochs = smaller(50, scale, 2)
    return Recipe(
        space=spaces.darts_rnn(
            nodes=8,
            hidden=units,
            embedding=units,
            dropout=0.75 * scale,  # small networks need little of it
            hidden_dropout=0.25 * scale,
        ),
        strategy=strategies.DARTS(learning_rate=3e-3, betas=(0.9, 0.999), weight_decay=1e-3),
        estimator=estimators.WeightSharing(
            task,
            epochs=epochs,
            shared=replace(RECURRENT, batch_size=smaller(256, scale, 32)),
        ),
        evaluations=epochs,
        objectives=("valid_perplexity",),
        paper=Paper(
            "Liu, Simonyan and Yang, 2019: DARTS: Differentiable Architecture Search",
            rows=("R25",),
            headline="Penn Treebank test perplexity 57.6, of second order 55.7; half a GPU day a search, the best of 4",
            differs=(
                "first order: in the second, the step that is looked ahead to would need its gradient clipped too",
                "pieces of text are shuffled, and each begins without the state that the one before left",
                "the learning rate falls to 0 along a cosine; no penalty on changes of the state",
                "dropout of the embeddings (0.2) is the inputs' own; a final training averages no weights (ASGD)",
            ),
        ),
    )
