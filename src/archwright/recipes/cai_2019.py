"""ProxylessNAS: Cai, Zhu and Han, 2019."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archwright import estimators, spaces, strategies
from archwright.estimators.trained_once import SEARCH
from archwright.recipes.recipe import Paper, Recipe, recipe, sizes, smaller
from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.spaces.space import Space
    from archwright.tasks import Task


def mobile(scale: float, channels: int = 24, blocks: int = 4) -> Space:
    """The paper's space at a scale; `channels` and `blocks` are those of the first stage."""
    return spaces.proxyless(
        channels=sizes((channels, 40, 80, 96, 192, 320), scale),
        blocks=[smaller(count, scale, 2) for count in (blocks, 4, 4, 4, 4)] + [1],
        stem=(smaller(32, scale, 4), smaller(16, scale, 4)),
        head=smaller(1280, scale, 16),
    )


@recipe
def proxyless_nas(task: Task, scale: float = 1.0) -> Recipe:
    """ProxylessNAS (Cai et al., 2019): binary gates on the target task, with expected latency."""
    return Recipe(
        space=mobile(scale),
        strategy=strategies.ProxylessNAS(every=smaller(5, scale), penalty=ExpectedCost("latency_ms")),
        estimator=estimators.WeightSharing(
            task, epochs=smaller(160, scale, 4), shared=replace(SEARCH, batch_size=smaller(256, scale, 32)), affine=True
        ),
        evaluations=smaller(160, scale, 4),
        paper=Paper(
            "Cai, Zhu and Han, 2019: ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware",
            rows=("R27",),
            headline=(
                "ImageNet 75.1 % at 5.1 ms on a GPU; CIFAR-10 test error 2.08 % (5.7M parameters, in a "
                "space of tree cells)"
            ),
            differs=(
                "the latency is of the open ops on this machine, measured when the search begins",
                "strides are those for ImageNet: for small images give your own, --space.strides",
            ),
        ),
    )
