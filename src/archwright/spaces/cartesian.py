"""The grid of Cartesian genetic programming (Suganuma, Shirakawa and Nagao, 2017, table 1; SURVEY S15)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Node = dict[str, Any]
"""One decided node: {"function": ..., "inputs": two earlier nodes, of which the function reads its first or both}."""


class Residual(nn.Module):
    """Two convolutions round which the input is added; missing channels are zeros."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> None:
        super().__init__()
        self.first = ops.normalized_convolution(in_channels, out_channels, stride, kernel=kernel)
        self.second = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.join = Join((in_channels, out_channels), (0, stride // 2), concatenate=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, max(in_channels, out_channels), ...)."""
        return self.relu(self.join(x, self.second(self.first(x))))  # type: ignore[no-any-return]


class Join(nn.Module):
    """Sums or concatenates two images; the larger one is max pooled to the smaller one's size, in a sum the one of
    fewer channels is filled up with zeros."""

    def __init__(self, channels: tuple[int, int], halvings: tuple[int, int], concatenate: bool) -> None:
        """`halvings` says how often each image's sides were halved."""
        super().__init__()
        self.concatenate = concatenate
        self.out_channels = sum(channels) if concatenate else max(channels)
        self.halvings = max(halvings)
        fill = [0 if concatenate else self.out_channels - count for count in channels]
        shrink = [self.halvings - count for count in halvings]
        self.left, self.right = (_fitted(lacking, times) for lacking, times in zip(fill, shrink, strict=True))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two (batch, channels, height, width) -> one."""
        left, right = self.left(left), self.right(right)
        return torch.cat([left, right], dim=1) if self.concatenate else left + right


def _fitted(lacking: int, halvings: int) -> nn.Module:
    shrink = [nn.MaxPool2d(2**halvings, ceil_mode=True)] if halvings else []
    fill = [nn.ZeroPad3d((0, 0, 0, 0, 0, lacking))] if lacking else []
    return nn.Sequential(*shrink, *fill)


BLOCKS: Mapping[str, Callable[..., nn.Module]] = {"convolution": ops.normalized_convolution, "residual": Residual}
"""What the paper's two function sets differ in: ConvSet and ResSet."""


class Cartesian(nn.Module):
    """The nodes that the output needs, in the order of their numbers."""

    def __init__(self, signature: Signature, nodes: Sequence[Node], output: int) -> None:
        super().__init__()
        channels, halvings = {0: image_channels(signature)}, {0: 0}
        self.active: list[tuple[int, list[int]]] = []
        self.nodes = nn.ModuleDict()
        for number in active(nodes, output):
            function, read = nodes[number - 1]["function"], inputs_of(nodes[number - 1])
            first = read[0]
            made: nn.Module
            if len(read) == 2:
                made = Join(
                    (channels[first], channels[read[1]]),
                    (halvings[first], halvings[read[1]]),
                    function["name"] == "concat",
                )
                channels[number], halvings[number] = made.out_channels, made.halvings
            elif "block" in function:
                filters = signature.channels(function["filters"])
                made = BLOCKS[function["block"]](channels[first], filters, kernel=function["kernel"])
                widest = max(filters, channels[first]) if isinstance(made, Residual) else filters
                channels[number], halvings[number] = widest, halvings[first]
            else:
                made = function["op"](channels[first], channels[first], 2, kernel=2)
                channels[number], halvings[number] = channels[first], halvings[first] + 1
            self.active.append((number, read))
            self.nodes[str(number)] = made
        self.output = output
        self.head = ops.classifier(channels[output], signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        values = {0: x}
        for number, read in self.active:
            values[number] = self.nodes[str(number)](*[values[source] for source in read])
        return self.head(values[self.output])  # type: ignore[no-any-return]

    @staticmethod
    def graph(nodes: Sequence[Node], output: int) -> Graph:
        """The active nodes; what the output does not need is not computed, so it makes no difference."""
        numbers = [0, *active(nodes, output)]
        places = {number: place for place, number in enumerate(numbers)}
        labels = ("input", *(nodes[number - 1]["function"]["name"] for number in numbers[1:]), "output")
        edges = [
            (places[source], places[number], role)
            for number in numbers[1:]
            for source, role in zip(inputs_of(nodes[number - 1]), _roles(nodes[number - 1]), strict=False)
        ]
        return Graph(labels, (*edges, (places[output], len(numbers), "")))


def inputs_of(node: Node) -> list[int]:
    """What a node reads: 0 is the image, n the n-th node."""
    return list(node["inputs"][: node["function"].get("arity", 1)])


def _roles(node: Node) -> tuple[str, str]:
    """What tells a node's inputs apart: a sum of unequal channels shows which came first in a concatenation."""
    return ("main", "skip") if node["function"]["name"] == "concat" else ("", "")


def active(nodes: Sequence[Node], output: int) -> list[int]:
    """The numbers of the nodes that the output needs, in order."""
    needed: set[int] = {output}
    for number in range(output, 0, -1):
        if number in needed:
            needed.update(inputs_of(nodes[number - 1]))
    return sorted(needed - {0})


@part
def cgp(
    rows: int = 5,
    columns: int = 30,
    levels_back: int = 10,
    filters: Sequence[int] = (32, 64, 128),
    kernels: Sequence[int] = (3, 5),
    block: Literal["convolution", "residual"] = "convolution",
) -> Space:
    """CGP-CNN's space: a grid whose nodes read nodes of the `levels_back` columns before, 5 x 30 and 10 in the paper.

    A node's second input is decided even if its function reads one only, and so is every node that the output does not
    need: Cartesian genetic programming lives on such silent genes. `block` is what the paper's two function sets
    differ in, ConvSet and ResSet. The paper keeps 10 to 50 nodes active; here as many are as are needed.
    """
    functions: list[Node] = [
        {"name": f"{block}_{count}_{kernel}", "block": block, "filters": count, "kernel": kernel}
        for count in filters
        for kernel in kernels
    ]
    functions += [{"name": "max_pool", "op": ops.max_pool}, {"name": "average_pool", "op": ops.average_pool}]
    functions += [{"name": "sum", "arity": 2}, {"name": "concat", "arity": 2}]

    def reachable(column: int) -> Choice:
        first = max(0, column - levels_back) * rows + 1
        image = [0] if column < levels_back else []  # as in the authors' code
        return Choice(*image, *range(first, column * rows + 1))

    nodes = [
        {"function": Choice(*functions), "inputs": (reachable(column), reachable(column))}
        for column in range(columns)
        for _ in range(rows)
    ]
    return Space(Cartesian, nodes=nodes, output=reachable(columns))
