"""Hierarchical motifs (Liu et al., 2018b, section 2; SURVEY S12): small graphs of operations, and a graph of those."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

NONE = "none"
"""The edge that is not there."""


class Primitive(NamedTuple):
    """An operation of the lowest level. One that `widens` gives the motif's channels, any other keeps its input's."""

    make: Callable[[int, int], nn.Module]
    widens: bool = False


def depthwise(channels: int, _: int) -> nn.Module:
    """3 x 3 depthwise convolution, batch-norm, ReLU."""
    convolution = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


def separable(channels: int, wanted: int, stride: int = 1) -> nn.Module:
    """3 x 3 separable convolution, batch-norm, ReLU."""
    spatial = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return nn.Sequential(spatial, nn.Conv2d(channels, wanted, 1, bias=False), nn.BatchNorm2d(wanted), nn.ReLU())


def pointwise(channels: int, wanted: int) -> nn.Module:
    """1 x 1 convolution, batch-norm, ReLU."""
    return ops.normalized_convolution(channels, wanted, kernel=1)


PRIMITIVES: Mapping[str, Primitive] = {
    "conv_1x1": Primitive(pointwise, widens=True),
    "depthwise_3x3": Primitive(depthwise),
    "sep_conv_3x3": Primitive(separable, widens=True),
    "max_pool_3x3": Primitive(ops.max_pool),
    "avg_pool_3x3": Primitive(ops.average_pool),
    "identity": Primitive(ops.identity),
}
"""The six of the paper's section 4.1."""

Motif = Sequence[str]
"""An operation for each edge of `edges_of`."""


def edges_of(nodes: int) -> list[tuple[int, int]]:
    """(source, target): all that lead forward, ordered by target."""
    return [(a, b) for b in range(1, nodes) for a in range(b)]


def live(motif: Sequence[Any]) -> list[tuple[int, int, Any]]:
    """The edges on a path from the first node to the last; none if there is no such path."""
    nodes = round((1 + (1 + 8 * len(motif)) ** 0.5) / 2)
    kept = [(a, b, operation) for (a, b), operation in zip(edges_of(nodes), motif, strict=True) if operation != NONE]
    forward, backward = {0}, {nodes - 1}
    for a, b, _ in sorted(kept, key=lambda edge: edge[1]):
        forward |= {b} if a in forward else set()
    for a, b, _ in sorted(kept, key=lambda edge: -edge[0]):
        backward |= {a} if b in backward else set()
    alive = forward & backward
    return [edge for edge in kept if edge[0] in alive and edge[1] in alive]


class Nodes(nn.Module):
    """Nodes that concatenate what their edges bring; the last one is the output."""

    def __init__(
        self,
        in_channels: int,
        edges: Sequence[tuple[int, int, Any]],
        make: Callable[[Any, int], tuple[nn.Module, int]],
    ) -> None:
        """`make` gives an edge's module and its channels, for the operation and the channels that come in."""
        super().__init__()
        channels = {0: in_channels}
        self.inputs: dict[int, list[int]] = {}
        self.edges = nn.ModuleDict()
        for a, b, operation in sorted(edges, key=lambda edge: (edge[1], edge[0])):
            self.edges[f"{a}_{b}"], given = make(operation, channels[a])
            channels[b] = channels.get(b, 0) + given
            self.inputs.setdefault(b, []).append(a)
        self.out_channels = channels[max(channels)]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, height, width)."""
        values = {0: x}
        for node, read in self.inputs.items():
            brought = [self.edges[f"{source}_{node}"](values[source]) for source in read]
            values[node] = torch.cat(brought, dim=1) if len(brought) > 1 else brought[0]
        return values[max(values)]


class Hierarchical(nn.Module):
    """Stages of the top motif, each followed by a separable convolution that halves the image and doubles the channels
    (after the last one there is the classifier)."""

    def __init__(
        self,
        signature: Signature,
        motifs: Sequence[Motif],
        top: Sequence[int | str],
        channels: int = 16,
        stages: int = 3,
    ) -> None:
        super().__init__()
        widths = [signature.channels(channels * 2**stage) for stage in range(stages)]
        body: list[nn.Module] = [ops.normalized_convolution(image_channels(signature), widths[0])]
        before = widths[0]
        for stage, width in enumerate(widths):
            cell = _nodes(before, width, motifs, top)
            body.append(cell)
            before = cell.out_channels
            if stage + 1 < stages:
                body.append(separable(before, widths[stage + 1], stride=2))
                before = widths[stage + 1]
        self.body = nn.Sequential(*body)
        self.head = ops.classifier(before, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(x))  # type: ignore[no-any-return]

    @staticmethod
    def excluded(motifs: Sequence[Motif], top: Sequence[int | str], **_: Any) -> str | None:
        """A network needs a path from its input to its output."""
        return None if live(_connected(motifs, top)) else "no path leads from the cell's input to its output"

    @staticmethod
    def graph(motifs: Sequence[Motif], top: Sequence[int | str], **_: Any) -> Graph:
        """The cell with its motifs written out; operations on the edges."""
        labels, edges, places = ["input"], [], {0: 0}
        for a, b, number in live(_connected(motifs, top)):
            if b not in places:
                places[b] = len(labels)
                labels.append("concat")
            inner = {0: places[a]}
            for first, second, operation in live(motifs[number]):
                if second not in inner:
                    inner[second] = len(labels)
                    labels.append("concat")
                edges.append((inner[first], inner[second], operation))
            edges.append((inner[max(inner)], places[b], ""))
        return Graph(tuple(labels), tuple(edges))


def _connected(motifs: Sequence[Motif], top: Sequence[int | str]) -> list[int | str]:
    """The top motif; what has no path through it is an edge that is not there."""
    return [NONE if number == NONE or not live(motifs[int(number)]) else number for number in top]


def _nodes(in_channels: int, channels: int, motifs: Sequence[Motif], top: Sequence[int | str]) -> Nodes:
    def primitive(name: str, given: int) -> tuple[nn.Module, int]:
        wanted = channels if PRIMITIVES[name].widens else given
        return PRIMITIVES[name].make(given, wanted), wanted

    def motif(number: int, given: int) -> tuple[nn.Module, int]:
        made = Nodes(given, live(motifs[number]), primitive)
        return made, made.out_channels

    return Nodes(in_channels, live(_connected(motifs, top)), motif)


@part
def hierarchical(motifs: int = 6, motif_nodes: int = 4, nodes: int = 5, channels: int = 16, stages: int = 3) -> Space:
    """The three-level space: six primitives, `motifs` graphs of `motif_nodes` nodes over them, one graph of `nodes`
    nodes over those.

    Any edge may be missing; where that leaves no path through the whole, the architecture is excluded. `channels` and
    `stages` scale the network without touching the decisions.
    """
    declared = [[Choice(NONE, *PRIMITIVES) for _ in edges_of(motif_nodes)] for _ in range(motifs)]
    top = [Choice(NONE, *range(motifs)) for _ in edges_of(nodes)]
    return Space(Hierarchical, motifs=declared, top=top, channels=channels, stages=stages)
