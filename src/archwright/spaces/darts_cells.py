"""The DARTS space (Liu, Simonyan and Yang, 2019b; SURVEY S9), and RobustDARTS' four small ones (Zela et al., 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice, Subset
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph, union
from archwright.spaces.images import image_channels
from archwright.spaces.opening import every, taken
from archwright.spaces.space import Space

Node = Any
"""A decided node: its two edges, each {"source": an earlier state, "op": an operation}; or the same left open."""


class Cell(nn.Module):
    """Nodes that sum what their edges make of earlier states; the output is the concatenation of all nodes.

    States are numbered: 0 and 1 are the cell's inputs (the outputs of the two cells before), then the nodes.
    """

    def __init__(
        self, before: int, previous: int, channels: int, nodes: Sequence[Node], shrunk: bool, stride: int
    ) -> None:
        """`before` and `previous` are the two inputs' channels; `shrunk` says that the first is twice as large."""
        super().__init__()
        self.prepare_before = (
            ops.FactorizedReduce(before, channels) if shrunk else ops.convolution(before, channels, kernel=1)
        )
        self.prepare_previous = ops.convolution(previous, channels, kernel=1)
        self.nodes, self.stride = nodes, stride
        self.edges = nn.ModuleDict(
            {
                f"{source}_{target}": op(channels, channels, stride if source < 2 else 1)
                for target, node in enumerate(nodes, start=2)
                for source, op in ((item["source"], item["op"]) for item in every(node))
            }
        )
        self.out_channels = channels * len(nodes)

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Two (batch, channels, height, width) -> (batch, out_channels, height / stride, width / stride)."""
        states = [self.prepare_before(before), self.prepare_previous(previous)]
        entering: list[list[Tensor]] = [[] for _ in self.nodes]
        for source in range(len(self.nodes) + 1):  # the last node is read by no other
            if source > 1:
                states.append(self._sum(entering[source - 2], states[1]))
            reading = [
                (target, weight)
                for target, node in enumerate(self.nodes)
                for item, weight in taken(node)
                if item["source"] == source and taken(item["op"])
            ]
            edges = [self.edges[f"{source}_{target + 2}"] for target, _ in reading]
            for (target, weight), made in zip(reading, ops.at_once(edges, states[source]), strict=True):
                entering[target].append(made if isinstance(weight, float) and weight == 1.0 else weight * made)
        states.append(self._sum(entering[-1], states[1]))
        return torch.cat(states[2:], dim=1)

    def _sum(self, terms: list[Tensor], previous: Tensor) -> Tensor:
        return ops.add(terms) if terms else torch.zeros_like(previous[:, :, :: self.stride, :: self.stride])


class CellNetwork(nn.Module):
    """Stem, normal cells with reduction cells at a third and two thirds of the depth, global pooling, one linear layer.

    Channels double where the image is halved.
    """

    def __init__(
        self,
        signature: Signature,
        normal: Sequence[Node],
        reduction: Sequence[Node],
        cells: int = 8,
        channels: int = 16,
        stem_multiplier: int = 3,
    ) -> None:
        super().__init__()
        before = previous = signature.channels(channels * stem_multiplier)
        self.stem = ops.stem(image_channels(signature), previous)
        self.cells = nn.ModuleList()
        shrunk, doubled = False, 0
        for index in range(cells):
            reduces = index in (cells // 3, 2 * cells // 3)
            doubled += reduces
            width = signature.channels(channels * 2**doubled)
            cell = Cell(before, previous, width, reduction if reduces else normal, shrunk, 2 if reduces else 1)
            self.cells.append(cell)
            before, previous, shrunk = previous, cell.out_channels, reduces
        self.head = ops.classifier(previous, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        before = previous = self.stem(x)
        for cell in self.cells:
            before, previous = previous, cell(before, previous)
        return self.head(previous)  # type: ignore[no-any-return]

    @staticmethod
    def graph(normal: Sequence[Node], reduction: Sequence[Node], **_: Any) -> Graph:
        """Both cells side by side: a vertex a node, operations on the edges."""
        return union([("normal", cell_graph(normal)), ("reduction", cell_graph(reduction))])


def cell_graph(nodes: Sequence[Node]) -> Graph:
    """One decided cell: two inputs, a vertex a node, the output."""
    output = len(nodes) + 2
    edges = [
        (item["source"], target, ops.op_label(item["op"]))
        for target, node in enumerate(nodes, start=2)
        for item in node
    ]
    edges += [(target, output, "") for target in range(2, output)]
    return Graph(("before", "previous", *["add"] * len(nodes), "output"), tuple(edges))


@part
def darts(
    nodes: int = 4,
    operations: Sequence[Any] = ops.NORMALIZED_DARTS_OPS,
    cells: int = 8,
    channels: int = 16,
    stem_multiplier: int = 3,
) -> Space:
    """The DARTS space: two cells of `nodes` nodes; each node reads 2 earlier states, through one of 7 operations each.

    Where the choices are relaxed, taking no part (`none`) is one candidate more. DARTS searches with 8 cells of 16
    channels, and trains what it found with 20 of 36. Behind its pools there is a batch-norm in the network that is
    searched and none in the final one. Here the two are one network, and it has it; `operations=ops.DARTS_OPS` are
    those without.
    """
    ops.check_labels(operations)
    edges = [operations] * count_edges(nodes)
    normal, reduction = open_cell(nodes, edges), open_cell(nodes, edges)
    return Space(
        CellNetwork,
        normal=normal,
        reduction=reduction,
        cells=cells,
        channels=channels,
        stem_multiplier=stem_multiplier,
    )


@part
def robust_darts(space: str = "S2", cells: int = 8, channels: int = 16) -> Space:
    """A space in which DARTS fails (Zela et al., 2020, section 3): the DARTS space with few operations an edge.

    Args:
        space: "S1": two operations an edge, those that an earlier search had liked best. "S2": identity and separable
            3x3 convolution. "S3": these and `none`. "S4": noise and separable 3x3 convolution.

    `none` is no operation that a network could have, so S2 and S3 hold the same architectures; where the choices are
    relaxed, only S3 has it as a candidate.

    Raises:
        ArchwrightError: there is no such space.
    """
    if space not in ROBUST_DARTS:
        raise ArchwrightError(one_of("space", space, ROBUST_DARTS))
    normal, reduction = (open_cell(4, edges, none=space == "S3") for edges in ROBUST_DARTS[space])
    return Space(CellNetwork, normal=normal, reduction=reduction, cells=cells, channels=channels)


def open_cell(nodes: int, edges: Sequence[Sequence[Any]], none: bool = True) -> list[Subset]:
    """The declaration of a cell; `edges` has the operations of each edge, by the node it enters and then by source.

    `none` says whether a relaxation has taking no part as one candidate more.
    """
    offered = iter(edges)
    return [
        Subset(2, *({"source": source, "op": Choice(*next(offered))} for source in range(node + 2)), none=none)
        for node in range(nodes)
    ]


def count_edges(nodes: int) -> int:
    """How many edges a cell of so many nodes has when all are open: each node may read all before it."""
    return sum(node + 2 for node in range(nodes))


def _edges(text: str) -> list[tuple[ops.Op, ...]]:
    return [tuple(_SHORT[name] for name in pair.split("/")) for pair in text.split()]


_SHORT = dict(zip(("max", "avg", "skip", "sep3", "sep5", "dil3", "dil5"), ops.NORMALIZED_DARTS_OPS, strict=True)) | {
    "noise": ops.NOISE
}

ROBUST_DARTS: Mapping[str, tuple[list[tuple[ops.Op, ...]], list[tuple[ops.Op, ...]]]] = {
    "S1": (
        _edges(
            "skip/dil3 skip/dil5 skip/dil5 skip/sep3 skip/dil3 max/skip skip/sep3 "
            "skip/sep3 skip/dil3 skip/sep3 max/skip skip/dil3 dil3/dil5 dil3/dil5"
        ),
        _edges(
            "max/avg max/dil3 max/avg max/avg skip/dil5 max/avg max/sep3 "
            "skip/dil3 skip/dil5 max/avg max/avg skip/dil5 skip/dil5 skip/dil5"
        ),
    ),
    "S2": (_edges("skip/sep3 " * 14), _edges("skip/sep3 " * 14)),
    "S3": (_edges("skip/sep3 " * 14), _edges("skip/sep3 " * 14)),
    "S4": (_edges("noise/sep3 " * 14), _edges("noise/sep3 " * 14)),
}
"""The operations of each edge in the normal and in the reduction cell, as in the authors' code."""
