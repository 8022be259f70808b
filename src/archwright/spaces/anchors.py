"""Convolutions with anchor skip connections (Zoph and Le, 2017, section 3.3; SURVEY S3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Layer = dict[str, Any]
"""One decided layer: {"kernel": (height, width), "filters", "stride", "anchors": a flag for each layer before it}."""


class DepthConcat(nn.Module):
    """Concatenates along the channels; smaller images are padded with zeros, right and below, to the largest."""

    def __init__(self, shapes: Sequence[tuple[int, int, int]]) -> None:
        """`shapes` are (channels, height, width)."""
        super().__init__()
        self.height, self.width = max(shape[1] for shape in shapes), max(shape[2] for shape in shapes)
        self.out_channels = sum(shape[0] for shape in shapes)
        lacking = [(self.height - height, self.width - width) for _, height, width in shapes]
        self.pads = nn.ModuleList(
            nn.ZeroPad2d((0, right, 0, below)) if below or right else nn.Identity() for below, right in lacking
        )

    def forward(self, tensors: list[Tensor]) -> Tensor:
        """One (batch, channels, height, width) a shape -> (batch, out_channels, height, width)."""
        return torch.cat([pad(tensor) for pad, tensor in zip(self.pads, tensors, strict=True)], dim=1)


class Anchored(nn.Module):
    """Each layer reads the layers that its anchors name, or the image; what no layer reads goes to the classifier."""

    def __init__(self, signature: Signature, layers: Sequence[Layer]) -> None:
        super().__init__()
        _, height, width = signature.input_shape if len(signature.input_shape) == 3 else (0, 0, 0)
        shapes = [(image_channels(signature), height, width)]
        self.sources = sources(layers)
        self.inputs = nn.ModuleList()
        self.layers = nn.ModuleList()
        for layer, read in zip(layers, self.sources, strict=False):
            joined = DepthConcat([shapes[source] for source in read])
            filters, stride = signature.channels(layer["filters"]), layer["stride"]
            self.inputs.append(joined)
            self.layers.append(ops.normalized_convolution(joined.out_channels, filters, stride, kernel=layer["kernel"]))
            shapes.append((filters, -(-joined.height // stride), -(-joined.width // stride)))
        self.last = DepthConcat([shapes[source] for source in self.sources[-1]])
        self.head = ops.classifier(self.last.out_channels, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        outputs = [x]
        for read, joined, layer in zip(self.sources, self.inputs, self.layers, strict=False):
            outputs.append(layer(joined([outputs[source] for source in read])))
        return self.head(self.last([outputs[source] for source in self.sources[-1]]))  # type: ignore[no-any-return]

    @staticmethod
    def graph(layers: Sequence[Layer]) -> Graph:
        """A vertex a layer; several edges into one are a concatenation."""
        labels = [
            f"convolution/{layer['kernel'][0]}x{layer['kernel'][1]}/filters={layer['filters']}/stride={layer['stride']}"
            for layer in layers
        ]
        edges = [(source, target, "") for target, read in enumerate(sources(layers), start=1) for source in read]
        return Graph(("input", *labels, "output"), tuple(edges))


def sources(layers: Sequence[Layer]) -> list[list[int]]:
    """What each layer reads, and last what the classifier does; 0 is the image, n the n-th layer's output."""
    read = [[place for place, used in enumerate(layer["anchors"], start=1) if used] or [0] for layer in layers]
    known = {source for each in read for source in each}
    return [*read, [place for place in range(1, len(layers) + 1) if place not in known]]


@part
def zoph_le(
    layers: int = 15,
    least: int | None = None,
    filters: Sequence[int] = (24, 36, 48, 64),
    kernels: Sequence[int] = (1, 3, 5, 7),
    strides: Sequence[int] = (1,),
) -> Space:
    """Zoph and Le's space: `layers` convolutions, each with a filter height, width and count of its own, and free skip
    connections.

    With `least` the depth is open from `least` to `layers`. `strides` are (1,) in the paper's first experiment and
    (1, 2, 3) in its second. 15 layers are its first network; batch-norm and ReLU follow every convolution.
    """

    def layer(index: int) -> Layer:
        return {
            "kernel": (Choice(*kernels), Choice(*kernels)),
            "filters": Choice(*filters),
            "stride": Choice(*strides) if len(strides) > 1 else strides[0],
            "anchors": [Choice(False, True) for _ in range(index)],
        }

    times = layers if least is None else Integer(least, layers)
    return Space(Anchored, layers=Repeat.each([layer(index) for index in range(layers)], times))
