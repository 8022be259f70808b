"""Large-scale evolution: Real, Moore, Selle, Saxena, Suematsu, Tan, Le and Kurakin, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def large_scale_evolution(task: Task, scale: float = 1.0) -> Recipe:
    """Large-scale evolution (Real et al., 2017): pairwise tournaments, the loser is killed; weights are inherited."""
    return Recipe(
        space=spaces.multibranch(layers=smaller(16, scale, 4), filters=sizes((16, 32, 64, 128), scale)),
        strategy=strategies.TournamentEvolution(population=smaller(1_000, scale, 4), sample=2, remove="worst"),
        estimator=estimators.Inherited(estimators.Training(task, epochs=smaller(25, scale))),
        evaluations=fewer(10_000, scale),
        paper=Paper(
            "Real et al., 2017: Large-Scale Evolution of Image Classifiers",
            rows=("R8",),
            headline="CIFAR-10 test error 5.4 % (5.4M parameters), CIFAR-100 23.0 %; about 2,600 GPU days",
            differs=(
                "the space is the multi-branch one, of a fixed number of layers: the paper's networks grow for ever",
                "of a layer whose shape changed what still fits is inherited; in the paper it begins anew",
                "no mutation leaves the network as it is to train on, and none throws its weights away",
                "the learning rate is no gene",
                "epochs and the number of evaluations are ours: the paper gives steps, and stops by hand",
            ),
        ),
    )
