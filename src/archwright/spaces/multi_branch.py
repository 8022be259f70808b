"""Multi-branch networks (survey, section 2): any layer may read any earlier one, summed or concatenated.

A chain, a ResNet and a DenseNet are points of this space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Layer = dict[str, Any]
"""One decided layer: {"op", "filters", "skips": a flag for each layer but the previous, "merge"}."""

OPS = ops.library(
    ops.Op("conv_3x3", ops.convolution, kernel=3),
    ops.Op("conv_5x5", ops.convolution, kernel=5),
    ops.Op("conv_1x1", ops.convolution, kernel=1),
    ops.Op("depthwise_3x3", ops.depthwise_separable, kernel=3),
    ops.Op("depthwise_5x5", ops.depthwise_separable, kernel=5),
    ops.Op("max_pool_3x3", ops.max_pool, kernel=3),
)


class Resize(nn.Module):
    """Brings a skip connection to the shape where it ends: average pooling, then a 1x1 convolution, as needed."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
        same = in_channels == out_channels
        self.project = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, height, width) -> (batch, out, ceil(height / stride), ceil(width / stride))."""
        projected: Tensor = self.project(self.pool(x))
        return projected


class Merge(nn.Module):
    """The function g of the survey: what a layer reads, from the previous output and the skips to it."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], concatenate: bool) -> None:
        super().__init__()
        targets = channels if concatenate else [channels[0]] * len(channels)
        self.resize = nn.ModuleList(map(Resize, channels, targets, strides))
        self.concatenate = concatenate
        self.out_channels = sum(targets) if concatenate else channels[0]

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """The previous layer's output first."""
        resized: list[Tensor] = [resize(tensor) for resize, tensor in zip(self.resize, tensors, strict=True)]
        if self.concatenate:
            return torch.cat(resized, dim=1)
        return ops.add(resized)


class MultiBranch(nn.Module):
    """L layers in equal stages; the first layer of each stage but the first halves the image.

    The network's last merge, in front of the head, has skips of its own (`last`), so that what leaves a layer may
    reach the output over any way.
    """

    def __init__(self, signature: Signature, layers: Sequence[Layer], last: Layer, stages: int = 3) -> None:
        super().__init__()
        channels = [signature.channels(int(layers[0]["filters"]))]
        scale = [0]  # how often each output was halved
        self.stem = ops.stem(image_channels(signature), channels[0])
        self.merges, self.layers = nn.ModuleList(), nn.ModuleList()
        self.sources: list[list[int]] = []
        for index, layer in enumerate([*layers, last]):
            sources = _sources(layer, index)
            ends = scale[index]
            merge = Merge(
                [channels[source] for source in sources],
                [2 ** (ends - scale[source]) for source in sources],
                len(sources) > 1 and layer["merge"] == "concat",
            )
            self.sources.append(sources)
            self.merges.append(merge)
            if layer is last:
                self.head = ops.Head(merge.out_channels, signature.outputs)
                break
            halve = index > 0 and index * stages // len(layers) > (index - 1) * stages // len(layers)
            wanted = signature.channels(int(layer["filters"]))
            self.layers.append(layer["op"](merge.out_channels, wanted, 2 if halve else 1))
            channels.append(wanted)
            scale.append(ends + halve)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        outputs = [self.stem(x)]
        for sources, merge, layer in zip(self.sources, self.merges, self.layers, strict=False):
            outputs.append(layer(merge([outputs[source] for source in sources])))
        return self.head(self.merges[-1]([outputs[source] for source in self.sources[-1]]))  # type: ignore[no-any-return]

    @staticmethod
    def graph(layers: Sequence[Layer], last: Layer, stages: int = 3) -> Graph:
        """A vertex a layer: its op, its filters and, where several inputs meet, how they are merged.

        The input's own vertex carries the stem's filters, and each vertex its stage: both decide what it computes.
        """
        labels = [f"input/filters={layers[0]['filters']}"]
        edges: list[tuple[int, int, str]] = []
        for index, layer in enumerate([*layers, last]):
            sources = _sources(layer, index)
            name = "output" if layer is last else f"{ops.op_label(layer['op'])}/filters={layer['filters']}"
            merge = f"/{layer['merge']}" if len(sources) > 1 else ""
            labels.append(f"{name}{merge}@{index * stages // len(layers)}")
            # A sum takes the shape of the previous layer, so that edge is told apart.
            edges += [(source, index + 1, "main" if source == index else "skip") for source in sources]
        return Graph(tuple(labels), tuple(edges)).pruned([0], [len(labels) - 1])


def _sources(layer: Layer, index: int) -> list[int]:
    """Which outputs layer `index` reads (0 is the stem's), the previous one first."""
    return [index, *(source for source, used in enumerate(layer["skips"]) if used)]


@part
def multibranch(
    layers: int = 8, filters: Sequence[int] = (16, 32, 64), stages: int = 3, operations: Sequence[Any] = OPS
) -> Space:
    """`layers` layers of free operation and width, with free skip connections between all of them.

    Without skips it is a chain; with a skip over every second layer, summed, a (pre-activated) ResNet; with all
    skips, concatenated, a DenseNet.
    """

    ops.check_labels(operations)

    def merged(index: int) -> Layer:
        skips = [Choice(False, True) for _ in range(index)]
        return {"skips": skips, "merge": Choice("sum", "concat") if skips else "sum"}

    declared = [{"op": Choice(*operations), "filters": Choice(*filters), **merged(index)} for index in range(layers)]
    return Space(MultiBranch, layers=declared, last=merged(layers), stages=stages)
