"""Neural Architecture Search: Zoph and Le, 2017."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.recipes.recipe import Paper, Recipe, faster, fewer, recipe, sizes, smaller

if TYPE_CHECKING:
    from archwright.tasks import Task


@recipe
def zoph_le(task: Task, scale: float = 1.0) -> Recipe:
    """NAS (Zoph and Le, 2017): REINFORCE with a recurrent controller over convolutions with skip connections."""
    return Recipe(
        space=spaces.zoph_le(
            layers=smaller(22, scale, 6),
            least=smaller(6, scale, 2),
            filters=sizes((24, 36, 48, 64), scale),
        ),
        strategy=strategies.Reinforce(learning_rate=faster(6e-4, scale), hidden=35, layers=2),
        estimator=estimators.Training(task, epochs=smaller(50, scale)),
        evaluations=fewer(12_800, scale),
        paper=Paper(
            "Zoph and Le, 2017: Neural Architecture Search with Reinforcement Learning",
            rows=("R2",),
            headline="CIFAR-10 test error 3.65 % (37.4M parameters); 800 GPUs for 3 to 4 weeks",
            differs=(
                "the depth is open from 6 on; in the paper it grows by 2 every 1,600 networks",
                "the controller decides anchors one by one, without attention over the states of the layers they name",
                "the reward is the rank among all networks so far, not the cube of the last epochs' best accuracy",
            ),
        ),
    )
