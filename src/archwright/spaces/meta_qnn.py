"""MetaQNN's chains (Baker et al., 2017a, table 1; SURVEY S1): convolutions, poolings, fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Layer = dict[str, Any]
"""One decided layer: {"op", "kernel", "filters"} or, if it pools, {"op", "window": {"kernel", "stride"}}."""

Dense = dict[str, Any]
"""The fully connected layers: {"units": of the first, 0 for none; "then": of the second}."""

LARGEST = 8
"""Fully connected layers read images of at most so many pixels a side: the two smaller bins of the paper's table 1."""


class MetaQNN(nn.Module):
    """Layer after layer, then fully connected layers or global average pooling."""

    def __init__(self, signature: Signature, layers: Sequence[Layer], dense: Dense) -> None:
        super().__init__()
        channels = image_channels(signature)
        sides = list(signature.input_shape[1:])
        body: list[nn.Module] = []
        for layer in layers:
            window = layer.get("window", {"kernel": layer.get("kernel"), "stride": 1})
            wanted = signature.channels(layer["filters"]) if "filters" in layer else channels
            body.append(layer["op"](channels, wanted, window["stride"], kernel=window["kernel"]))
            channels, sides = wanted, [-(-side // window["stride"]) for side in sides]
        self.body = nn.Sequential(*body)
        units = [signature.channels(count) for count in _units(dense)]
        seen = [min(side, LARGEST) for side in sides]
        head: list[nn.Module] = [nn.AdaptiveAvgPool2d(tuple(seen) if units else 1), nn.Flatten()]
        wide = channels * seen[0] * seen[1] if units else channels
        for count in units:
            head += [nn.Linear(wide, count), nn.ReLU()]
            wide = count
        self.head = nn.Sequential(*head, nn.Linear(wide, signature.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(x))  # type: ignore[no-any-return]

    @staticmethod
    def excluded(layers: Sequence[Layer], dense: Dense) -> str | None:
        """Of two poolings in a row the second has no state in the paper's table 1."""
        for number, (first, second) in enumerate(pairwise(layers), start=1):
            if "window" in first and "window" in second:
                return f"layers {number} and {number + 1} both pool"
        return None

    @staticmethod
    def graph(layers: Sequence[Layer], dense: Dense) -> Graph:
        """A path."""
        body = [_describe(layer) for layer in layers]
        labels = ("input", *body, *(f"dense/units={count}" for count in _units(dense)), "output")
        return Graph(labels, tuple((index, index + 1, "") for index in range(len(labels) - 1)))


def _units(dense: Dense) -> list[int]:
    return [count for count in (dense["units"], dense.get("then", 0)) if count]


def _describe(layer: Layer) -> str:
    if "window" in layer:
        return f"max_pool/{layer['window']['kernel']}/stride={layer['window']['stride']}"
    return f"convolution/{layer['kernel']}/filters={layer['filters']}"


@part
def metaqnn(
    max_layers: int = 9, filters: Sequence[int] = (64, 128, 256, 512), units: Sequence[int] = (512, 256, 128)
) -> Space:
    """MetaQNN's space: up to `max_layers` convolutions and poolings, up to 2 fully connected layers, none wider than
    the one before.

    With 9 a network has at most 11 layers, as in the paper (fewer than 12). Never two poolings in a row (such
    architectures are excluded). Fully connected layers need a small image in the paper; here a larger one is average
    pooled to 8 x 8 in front of them, since a space does not know a task's images.
    """
    convolution = {
        "op": ops.normalized_convolution,
        "kernel": Choice(1, 3, 5),
        "filters": Choice(*filters),
    }
    windows = [{"kernel": kernel, "stride": stride} for kernel, stride in ((5, 3), (3, 2), (2, 2))]
    layer = Choice(convolution, {"op": ops.max_pool, "window": Choice(*windows)})
    dense = [{"units": first, "then": Choice(0, *(second for second in units if second <= first))} for first in units]
    return Space(MetaQNN, layers=Repeat(layer, times=Integer(1, max_layers)), dense=Choice({"units": 0}, *dense))
