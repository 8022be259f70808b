"""Genetic CNN's stages (Xie and Yuille, 2017, section 3.1; SURVEY S14): ordered nodes, a bit for each pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph, union
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Bits = Sequence[Sequence[bool]]
"""For the second, third, ... node of a stage: a flag for each node before it."""


class Stage(nn.Module):
    """A source, the nodes that some bit connects, a sink; each is the same convolution of the sum of its inputs."""

    def __init__(self, in_channels: int, channels: int, bits: Bits) -> None:
        super().__init__()
        self.inputs = wiring(bits)
        self.source = ops.normalized_convolution(in_channels, channels)
        self.nodes = nn.ModuleDict({str(node): ops.normalized_convolution(channels, channels) for node in self.inputs})

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, channels, height, width)."""
        outputs: dict[int, Tensor] = {0: self.source(x)}
        for node, read in self.inputs.items():
            outputs[node] = self.nodes[str(node)](ops.add([outputs[source] for source in read]))
        return outputs[max(outputs)]


class GeNet(nn.Module):
    """Stages with 2 x 2 max pooling behind each; filters double from stage to stage."""

    def __init__(self, signature: Signature, stages: Sequence[Bits], filters: int = 8) -> None:
        super().__init__()
        channels = image_channels(signature)
        body: list[nn.Module] = []
        for number, bits in enumerate(stages):
            width = signature.channels(filters * 2**number)
            body += [Stage(channels, width, bits), nn.MaxPool2d(2, ceil_mode=True)]
            channels = width
        self.body = nn.Sequential(*body)
        self.head = ops.classifier(channels, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(x))  # type: ignore[no-any-return]

    @staticmethod
    def graph(stages: Sequence[Bits], **_: Any) -> Graph:
        """The stages side by side, without isolated nodes."""
        return union([(f"stage{number}", _stage_graph(bits)) for number, bits in enumerate(stages, start=1)])


def wiring(bits: Bits) -> dict[int, list[int]]:
    """What each node reads, in order: 0 is the source, 1..K are the nodes that some bit connects, K + 1 the sink.

    Nodes without predecessors read the source; those without successors are read by the sink. Where no bit is set the
    stage is its source alone: the convolution is done once, not twice.
    """
    last = len(bits) + 1
    before = {node: [i for i, used in enumerate(row, start=1) if used] for node, row in enumerate(bits, start=2)}
    read = {source for row in before.values() for source in row}
    alive = [node for node in range(1, last + 1) if before.get(node) or node in read]
    inputs = {node: before.get(node) or [0] for node in alive}
    return inputs | {last + 1: [node for node in alive if node not in read]} if alive else {}


def _stage_graph(bits: Bits) -> Graph:
    inputs = wiring(bits)
    places = {node: place for place, node in enumerate([0, *inputs])}
    labels = ("source", *["node"] * (len(inputs) - 1), "sink")[: len(places)]
    edges = tuple((places[source], places[node], "") for node, read in inputs.items() for source in read)
    return Graph(labels, edges)


@part
def genet(nodes: Sequence[int] = (3, 4, 5), filters: int = 8) -> Space:
    """Genetic CNN's space: a stage of so many `nodes` each, 19 bits for (3, 4, 5).

    `filters` of the first stage are few, as in the paper's search, whose winners are then made wider. A linear layer
    after global average pooling stands where the paper has fully connected ones.
    """
    stages = [[[Choice(False, True) for _ in range(node)] for node in range(1, count)] for count in nodes]
    return Space(GeNet, stages=stages, filters=filters)
