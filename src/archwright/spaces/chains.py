"""Chain-structured networks (survey, section 2): a sequence of layers, each with the parameters of its own kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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
"""One decided layer: {"op": ..., "stride": ...} and, unless it pools, {"filters": ...}."""


class Chain(nn.Module):
    """Layer after layer; a fully connected layer of `units` before the last, if units > 0."""

    def __init__(self, signature: Signature, layers: Sequence[Layer], units: int = 0) -> None:
        super().__init__()
        channels = signature.channels(_first_filters(layers))
        self.stem = ops.stem(image_channels(signature), channels)
        body: list[nn.Module] = []
        for layer in layers:
            wanted = signature.channels(layer["filters"]) if "filters" in layer else channels
            body.append(layer["op"](channels, wanted, layer["stride"]))
            channels = wanted
        self.body = nn.Sequential(*body)
        hidden = signature.channels(units) if units else signature.outputs
        self.head = ops.Head(channels, hidden)
        self.classifier = nn.Sequential(nn.ReLU(), nn.Linear(hidden, signature.outputs)) if units else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.classifier(self.head(self.body(self.stem(x))))  # type: ignore[no-any-return]

    @staticmethod
    def graph(layers: Sequence[Layer], units: int = 0) -> Graph:
        """A path."""
        names = [
            "/".join(
                [
                    ops.op_label(layer["op"]),
                    *(f"{name}={layer[name]}" for name in ("filters", "stride") if name in layer),
                ]
            )
            for layer in layers
        ]
        labels = ("input", *names, *([f"dense/units={units}"] if units else []), "output")
        return Graph(labels, tuple((index, index + 1, "") for index in range(len(labels) - 1)))


def _first_filters(layers: Sequence[Layer]) -> int:
    return next((int(layer["filters"]) for layer in layers if "filters" in layer), 16)


@part
def chain(
    max_layers: int = 8,
    filters: Sequence[int] = (16, 32, 64),
    kernels: Sequence[int] = (1, 3, 5),
    units: Sequence[int] = (0, 64, 128),
) -> Space:
    """Up to `max_layers` layers: convolution, depthwise-separable, dilated convolution or pooling.

    Kernel, filters, dilation and stride are open only for the kinds of layer that have them (the survey's
    conditional space). The kinds and widths are those of its section 2, sized for small images.
    """

    def op(make: Any, **settings: Any) -> Any:
        return partial(make, **settings)

    def convolutional(make: Any, **settings: Any) -> Layer:
        return {"op": op(make, **settings), "filters": Choice(*filters), "stride": Choice(1, 2)}

    layer = Choice(
        convolutional(ops.convolution, kernel=Choice(*kernels)),
        convolutional(ops.depthwise_separable, kernel=Choice(*([k for k in kernels if k > 1] or [3]))),
        {"op": op(ops.convolution, kernel=3, dilation=Choice(2, 3)), "filters": Choice(*filters), "stride": 1},
        {"op": op(ops.max_pool, kernel=Choice(3, 5)), "stride": 2},
        {"op": op(ops.average_pool, kernel=Choice(3, 5)), "stride": 2},
    )
    return Space(Chain, layers=Repeat(layer, times=Integer(1, max_layers)), units=Choice(*units))
