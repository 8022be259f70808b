"""SMASH: Brock, Lim, Ritchie and Weston, 2018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, smaller
from archwright.supernets.hypernetworks import Smash

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def smash(task: Task, scale: float = 1.0) -> Recipe:
    """SMASH (Brock et al., 2018): a hypernetwork writes the weights of random architectures."""
    return Recipe(
        space=spaces.memory_banks(
            layers=smaller(4, scale, 2), banks=smaller(8, scale, 3), channels=smaller(8, scale, 4)
        ),
        # 500 random ones, then perturbations of the best
        strategy=strategies.TournamentEvolution(population=fewer(500, scale, 3), share=1.0, remove="none"),
        estimator=estimators.Hypernetwork(task, epochs=smaller(100, scale, 2), weights=Smash()),
        evaluations=fewer(600, scale, 4),
        paper=Paper(
            "Brock, Lim, Ritchie and Weston, 2018: SMASH: One-Shot Model Architecture Search through HyperNetworks",
            rows=("R30", "S19"),
            headline="CIFAR-10 test error 4.03 %",
            differs=(
                "sizes of banks and layers are settings, not drawn",
                "a perturbation changes one decision, and what is better is perturbed next",
            ),
        ),
    )
