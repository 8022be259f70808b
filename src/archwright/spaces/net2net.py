"""The space of EAS (Cai et al., 2018a; SURVEY S4): chains that widen and deepen by Net2Net (Chen et al., 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.grown import Grown, check_rising, next_larger
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space
from archwright.spaces.steps import Dense, Flatten, Pool, Rectify

LARGEST = 4
"""Fully connected layers read images of at most so many pixels a side, as in the paper's first network on CIFAR."""

Blocks = Sequence[list[dict[str, int]]]
"""For each block its convolutions: {"kernel", "width"}."""


class EAS(Grown):
    """Blocks of convolutions (batch-norm, ReLU), 2x2 max pooling after each, then fully connected layers (ReLU)."""

    def __init__(
        self,
        signature: Signature,
        blocks: Blocks,
        dense: Sequence[int],
        kernels: Sequence[int],
        widths: Sequence[int],
        units: Sequence[int],
    ) -> None:
        super().__init__(image_channels(signature))
        x, sides = 0, list(signature.input_shape[1:])
        for number, layers in enumerate(blocks):
            for place, layer in enumerate(layers):
                width = signature.channels(layer["width"])
                x = self.layer((f"block {number}", place, "main"), "conv", layer["kernel"], width, x)
            x = self.step((f"pool {number}", 0), Pool("max_2", nn.MaxPool2d(2, ceil_mode=True)), x)
            sides = [-(-side // 2) for side in sides]
        seen = [min(side, LARGEST) for side in sides]
        positions = seen[0] * seen[1]
        x = self.step(("read", 0, "pool"), Pool(f"mean_{seen}", nn.AdaptiveAvgPool2d((seen[0], seen[1]))), x)
        x = self.step(("read", 0, "flat"), Flatten(positions), x, width=self.widths[x] * positions)
        for place, wide in enumerate(dense):
            count = signature.channels(wide)
            x = self.step(("dense", place, "linear"), Dense(self.widths[x], count), x, width=count)
            x = self.step(("dense", place, "relu"), Rectify(), x)
        self.step(("head", 0, "linear"), Dense(self.widths[x], signature.outputs), x, width=signature.outputs)

    @staticmethod
    def graph(blocks: Blocks, dense: Sequence[int], **_: Any) -> Graph:
        """A path."""
        labels = ["input"]
        for layers in blocks:
            labels += [f"conv_{layer['kernel']}x{layer['kernel']}/{layer['width']}" for layer in layers]
            labels.append("max_pool")
        labels += [*(f"dense/{count}" for count in dense), "output"]
        return Graph(tuple(labels), tuple((a, b, "") for a, b in pairwise(range(len(labels)))))

    @staticmethod
    def morphs(
        blocks: Blocks, dense: Sequence[int], kernels: Sequence[int], widths: Sequence[int], units: Sequence[int]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Wider, deeper, and larger kernels. A new layer comes behind another one and is as wide, as in the paper."""
        offered = {"kernels": kernels, "widths": widths, "units": units}
        for number, layers in enumerate(blocks):
            for place, layer in enumerate(layers):
                changes = [("deepen", [layer, {"kernel": kernel, "width": layer["width"]}]) for kernel in kernels]
                changes += [("widen", [layer | {"width": wide}]) for wide in next_larger(widths, layer["width"])]
                changes += [("kernel", [layer | {"kernel": wide}]) for wide in next_larger(kernels, layer["kernel"])]
                for kind, changed in changes:
                    block = [*layers[:place], *changed, *layers[place + 1 :]]
                    yield kind, {"blocks": [*blocks[:number], block, *blocks[number + 1 :]], "dense": dense, **offered}
        for place, count in enumerate(dense):
            deeper = [("deepen", [count, count])]
            for kind, counts in [*deeper, *(("widen", [wide]) for wide in next_larger(units, count))]:
                yield kind, {"blocks": blocks, "dense": [*dense[:place], *counts, *dense[place + 1 :]], **offered}


@part
def eas(
    blocks: int = 3,
    max_layers: int = 5,
    max_dense: int = 3,
    kernels: Sequence[int] = (1, 3, 5),
    widths: Sequence[int] = (16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640),
    units: Sequence[int] = (64, 128, 256, 384, 512, 640, 768, 896, 1024, 1152, 1280),
) -> Space:
    """EAS' plain networks: `blocks` of 1 to `max_layers` convolutions with pooling behind, 1 to `max_dense` fully
    connected layers.

    Kernels and widths are the paper's code's; of the units it is known that they go from 64 to 1,280, the steps
    between are ours, as are the bounds on depth (the paper's networks grow without any).

    Args:
        kernels: sides, odd; these, `widths` and `units` in rising order.
    """
    check_rising(kernels=kernels, widths=widths, units=units)
    layer = {"kernel": Choice(*kernels), "width": Choice(*widths)}
    return Space(
        EAS,
        blocks=[Repeat(layer, times=Integer(1, max_layers)) for _ in range(blocks)],
        dense=Repeat(Choice(*units), times=Integer(1, max_dense)),
        kernels=tuple(kernels),
        widths=tuple(widths),
        units=tuple(units),
    )
