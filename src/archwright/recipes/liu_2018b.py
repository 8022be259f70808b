"""Hierarchical representations: Liu, Simonyan, Vinyals, Fernando and Kavukcuoglu, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def hierarchical(task: Task, scale: float = 1.0) -> Recipe:
    """Hierarchical evolution (Liu et al., 2018b): tournaments over motifs of motifs; nothing is removed."""
    return Recipe(
        space=spaces.hierarchical(motifs=6, motif_nodes=4, nodes=5, channels=smaller(16, scale, 4)),
        strategy=strategies.TournamentEvolution(population=smaller(200, scale, 4), sample=2, share=0.05, remove="none"),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(7_000, scale),
        paper=Paper(
            "Liu, Simonyan, Vinyals, Fernando and Kavukcuoglu, 2018: "
            "Hierarchical Representations for Efficient Architecture Search",
            rows=("R12",),
            headline="CIFAR-10 test error 3.75 ± .12 %, ImageNet 20.3 %; 200 GPUs for 1.5 days",
            differs=(
                "it begins with random architectures, not with 1,000 random mutations of an identity",
                "channels and the number of epochs are ours",
            ),
        ),
    )
