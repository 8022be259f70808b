"""Random search with weight sharing for recurrent cells: Li and Talwalkar, 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.tasks.text import RECURRENT

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def rsws_rnn(task: Task, scale: float = 1.0) -> Recipe:
    """Random search with weight sharing (Li and Talwalkar, 2019): DARTS' recurrent cells for language modelling."""
    units = smaller(300, scale, 16)
    return Recipe(
        space=spaces.darts_rnn(
            nodes=8,
            hidden=units,
            embedding=units,
            dropout=0.75 * scale,  # small networks need little of it
            hidden_dropout=0.25 * scale,
        ),
        strategy=strategies.Random(),
        estimator=estimators.WeightSharing(
            task,
            epochs=smaller(100, scale, 2),
            shared=replace(RECURRENT, batch_size=smaller(64, scale, 32)),
        ),
        evaluations=fewer(4_000, scale),
        objectives=("valid_perplexity",),
        paper=Paper(
            "Li and Talwalkar, 2019: Random Search and Reproducibility for Neural Architecture Search",
            rows=("R32",),
            headline="Penn Treebank test perplexity 55.5; with ASHA and no sharing 56.4",
            differs=(
                "the settings are the defaults of the authors' program; they tried several",
                "every architecture is scored on the whole validation split; there the best of 4 rounds of 1,000",
                "pieces of text are shuffled, and each begins without the state that the one before left",
                "the learning rate falls to 0 along a cosine; no penalty on changes of the state",
            ),
        ),
    )
