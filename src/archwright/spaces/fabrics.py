"""Convolutional neural fabrics (Saxena and Verbeek, 2016; SURVEY S18): a trellis of layers and scales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from archwright.core.choices import BadSpace, Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.opening import every, taken
from archwright.spaces.space import Space
from archwright.spaces.wiring import needed, weighted_sum

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

Node = tuple[int, int]
"""(layer, scale); scale s has 1 / 2^s of the image's height and width."""

Grid = Sequence[Sequence[Any]]
"""For each layer but the first, for each scale: the ways it reads, such as "finer+same"."""


class Fabric(nn.Module):
    """Each node sums 3x3 convolutions of the nodes it reads; batch-norm and ReLU follow.

    It reads the layer before at the next finer scale (with stride 2), at its own, and at the next coarser one
    (upsampled). In the first layer the image enters at scale 0 and is handed down, each scale reading the finer one; in
    the last layer scales are handed down too, and the classifier reads the coarsest.
    """

    def __init__(self, signature: Signature, grid: Grid, channels: int = 64) -> None:
        super().__init__()
        width = signature.channels(channels)
        self.ways = {(layer, scale): ways for layer, row in enumerate(grid, start=1) for scale, ways in enumerate(row)}
        self.layers, self.scales = len(grid) + 1, len(grid[0])
        self.stem = ops.normalized_convolution(image_channels(signature), width)
        self.edges = nn.ModuleDict()
        self.nodes = nn.ModuleDict()
        read = {node: self._sources(node, split(every(self.ways.get(node, "within")))) for node in self._order()}
        live = needed({node: sources.values() for node, sources in read.items()}, self._order()[-1])
        for node in self._order():
            if node not in live:
                continue
            layer, scale = node
            for way in read[node]:
                self.edges[f"{layer}_{scale}_{way}"] = _edge(way, width, _size(signature, scale))
            self.nodes[f"{layer}_{scale}"] = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.head = ops.classifier(width, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        weights = {node: way_weights(self.ways.get(node, "within")) for node in self._order()}
        read = {node: self._sources(node, given) for node, given in weights.items()}
        live = needed({node: sources.values() for node, sources in read.items()}, self._order()[-1])
        values = {(0, 0): self.stem(x)}
        for node in self._order():
            if node in live:
                name = f"{node[0]}_{node[1]}"
                terms = [
                    (self.edges[f"{name}_{way}"](values[source]), weights[node][way])
                    for way, source in read[node].items()
                ]
                values[node] = self.nodes[name](weighted_sum(terms))
        return self.head(values[self._order()[-1]])  # type: ignore[no-any-return]

    def _order(self) -> list[Node]:
        """The nodes behind the stem, each after what it reads; the last one is the output."""
        return [(layer, scale) for layer in range(self.layers) for scale in range(self.scales)][1:]

    def _sources(self, node: Node, ways: Iterable[str]) -> dict[str, Node]:
        around = sources(node, self.layers, self.scales)
        return {way: around[way] for way in ways}

    @staticmethod
    def graph(grid: Grid, **_: Any) -> Graph:
        """The nodes that the output depends on; an edge's label says how it changes the scale."""
        size = (len(grid) + 1, len(grid[0]))
        nodes = [(layer, scale) for layer in range(size[0]) for scale in range(size[1])]
        number = {node: place for place, node in enumerate(nodes)}
        edges = []
        for node in nodes[1:]:
            ways = grid[node[0] - 1][node[1]] if node[0] else "within"
            around = sources(node, *size)
            edges += [(number[around[way]], number[node], _CHANGES.get(way, way)) for way in ways.split("+")]
        labels = ("input", *["sum"] * (len(nodes) - 2), "output")
        return Graph(labels, tuple(edges)).pruned([0], [len(nodes) - 1])


_CHANGES = {"within": "finer"}
"""Ways that compute the same as another: what enters from within the layer is a convolution with stride 2 too."""


def sources(node: Node, layers: int, scales: int) -> dict[str, Node]:
    """What a node of a fabric may read, by the way: "finer", "same" and "coarser" say the scale in the layer before,
    "within" is the finer scale of its own layer."""
    layer, scale = node
    around = {"finer": (layer - 1, scale - 1), "same": (layer - 1, scale), "coarser": (layer - 1, scale + 1)}
    around = around if layer else {}
    if layer in (0, layers - 1):
        around["within"] = (layer, scale - 1)
    return {way: source for way, source in around.items() if 0 <= source[1] < scales}


def split(options: Iterable[str]) -> list[str]:
    """The ways that occur in any of the options, once each."""
    return list(dict.fromkeys(way for option in options for way in option.split("+")))


def way_weights(chosen: Any) -> dict[str, Weight]:
    """How much each way counts now: the sum of the weights of the options that hold it."""
    weights: dict[str, Weight] = {}
    for option, weight in taken(chosen):
        for way in option.split("+"):
            weights[way] = weights[way] + weight if way in weights else weight
    return weights


def _edge(way: str, channels: int, size: tuple[int, int]) -> nn.Module:
    """What brings a neighbour to a node of `size` (height, width)."""
    if way == "same":
        return nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    if way == "coarser":
        return nn.Sequential(nn.Upsample(size), nn.Conv2d(channels, channels, 3, padding=1, bias=False))
    return nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False)


def _size(signature: Signature, scale: int) -> tuple[int, int]:
    _, height, width = signature.input_shape
    return -(-height // 2**scale), -(-width // 2**scale)


@part
def fabric(layers: int = 8, scales: int = 6, channels: int = 64) -> Space:
    """The networks inside a fabric: at each node behind the first layer any of the ways to read, at least one.

    The architecture that takes all of them everywhere is the fabric itself, which the paper trains as a whole. 6
    scales lead from 32 x 32 pixels to one. A linear layer stands where the paper's last scale has a channel a class.

    Raises:
        BadSpace: less than two layers, or no scale.
    """
    if layers < 2 or scales < 1:
        raise BadSpace(f"a fabric has at least 2 layers and 1 scale, not {layers} and {scales}")

    def ways(node: Node) -> Any:
        names = list(sources(node, layers, scales))
        options = ["+".join(some) for count in range(1, len(names) + 1) for some in combinations(names, count)]
        return Choice(*options) if len(options) > 1 else options[0]

    grid = [[ways((layer, scale)) for scale in range(scales)] for layer in range(1, layers)]
    return Space(Fabric, grid=grid, channels=channels)
