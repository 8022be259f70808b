"""ENAS for recurrent cells: Pham, Guan, Zoph, Le and Dean, 2018."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, faster, recipe, smaller
from archwright.tasks.text import RECURRENT

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def enas_rnn(task: Task, scale: float = 1.0) -> Recipe:
    """ENAS (Pham et al., 2018): a recurrent cell for language modelling, named by an LSTM over shared weights."""
    units = smaller(720, scale, 16)
    epochs = smaller(150, scale, 2)
    return Recipe(
        space=spaces.enas_rnn(
            nodes=12,
            hidden=units,
            embedding=units,
            dropout=0.75 * scale,  # small networks need little of it
            hidden_dropout=0.25 * scale,
        ),
        strategy=strategies.ENAS(
            steps=smaller(2_000, scale, 10),
            samples=1,
            learning_rate=faster(3.5e-4, scale),
            entropy=1e-4,
            limit=2.5,
            op_limit=2.5,
            hidden=100,
        ),
        estimator=estimators.WeightSharing(
            task,
            epochs=epochs,
            shared=replace(RECURRENT, weight_decay=1e-7, batch_size=smaller(64, scale, 32)),
        ),
        evaluations=epochs,
        objectives=("valid_perplexity",),
        paper=Paper(
            "Pham, Guan, Zoph, Le and Dean, 2018: Efficient Neural Architecture Search via Parameter Sharing",
            rows=("R24",),
            headline="Penn Treebank test perplexity 55.8 (24M parameters); 10 hours on one GPU",
            differs=(
                "the reward is the accuracy on a batch, where the paper's is a constant over the perplexity",
                "the LSTM's logits have no temperature (5 in the paper)",
                "pieces of text are shuffled, and each begins without the state that the one before left",
                "the learning rate falls to 0 along a cosine, in the paper by 4 % an epoch after the 15th",
                "units and dropout are those of the authors' search programs",
            ),
        ),
    )
