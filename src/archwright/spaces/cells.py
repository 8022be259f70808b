"""Cells (Zoph et al., 2018; SURVEY S5, S6): a normal and a reduction cell, stacked as deep and wide as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph, union
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space

Block = dict[str, Any]
"""One decided block: {"inputs": two states, "ops": two operations}; its output is their sum."""


class Pair(nn.Module):
    """A block: two operations, summed."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Two (batch, channels, height, width) -> one."""
        return self.left(left) + self.right(right)  # type: ignore[no-any-return]


class Cell(nn.Module):
    """Blocks over the outputs of the two cells before; the blocks' outputs that no block reads are concatenated."""

    def __init__(
        self, before: int, previous: int, channels: int, blocks: Sequence[Block], shrunk: int, stride: int
    ) -> None:
        """`before` and `previous` are the two inputs' channels; `shrunk` is by how much the first is larger in size."""
        super().__init__()
        self.prepare_before = ops.identity(before, channels, shrunk)
        self.prepare_previous = ops.identity(previous, channels, 1)
        self.inputs = [tuple(block["inputs"]) for block in blocks]
        self.blocks = nn.ModuleList(
            Pair(
                *(
                    op(channels, channels, stride if source < 2 else 1)
                    for op, source in zip(block["ops"], block["inputs"], strict=True)
                )
            )
            for block in blocks
        )
        self.loose = loose_ends(blocks)
        self.out_channels = channels * len(self.loose)

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Two (batch, channels, height, width) -> (batch, out_channels, height / stride, width / stride)."""
        states = [self.prepare_before(before), self.prepare_previous(previous)]
        for (left, right), block in zip(self.inputs, self.blocks, strict=True):
            states.append(block(states[left], states[right]))
        return torch.cat([states[index] for index in self.loose], dim=1)


class CellNetwork(nn.Module):
    """Stem, `stages` times `cells` normal cells with a reduction cell between stages, head.

    Filters double where the image is halved.
    """

    cell_type: ClassVar[Any] = Cell

    def __init__(
        self,
        signature: Signature,
        normal: Sequence[Block],
        reduction: Sequence[Block],
        cells: int = 2,
        filters: int = 16,
        stages: int = 3,
    ) -> None:
        super().__init__()
        width = signature.channels(filters)
        before = previous = width
        shrunk = 1  # how much larger the input before the previous one is
        self.stem = ops.stem(image_channels(signature), width)
        self.cells = nn.ModuleList()
        for stage in range(stages):
            width = signature.channels(filters * 2**stage)
            for blocks, stride in [(reduction, 2)] * (stage > 0) + [(normal, 1)] * cells:
                cell = self.cell_type(before, previous, width, blocks, shrunk, stride)
                self.cells.append(cell)
                before, previous, shrunk = previous, cell.out_channels, stride
        self.head = ops.Head(previous, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        before = previous = self.stem(x)
        for cell in self.cells:
            before, previous = previous, cell(before, previous)
        return self.head(previous)  # type: ignore[no-any-return]

    @staticmethod
    def graph(normal: Sequence[Block], reduction: Sequence[Block], **_: Any) -> Graph:
        """Both cells side by side: a vertex a block, operations on the edges."""
        return union([("normal", cell_graph(normal)), ("reduction", cell_graph(reduction))])


def loose_ends(blocks: Sequence[Block]) -> list[int]:
    """The states (the two inputs are 0 and 1, then the blocks) that no block reads; inputs don't count."""
    read = {source for block in blocks for source in block["inputs"]}
    return [index for index in range(2, len(blocks) + 2) if index not in read]


def cell_graph(blocks: Sequence[Block]) -> Graph:
    """One cell: two inputs, a vertex a block, the output."""
    output = len(blocks) + 2
    edges = [
        (source, index, ops.op_label(op))
        for index, block in enumerate(blocks, start=2)
        for source, op in zip(block["inputs"], block["ops"], strict=True)
    ]
    edges += [(index, output, "") for index in loose_ends(blocks)]
    return Graph(("before", "previous", *["add"] * len(blocks), "output"), tuple(edges))


def block(index: int, operations: Sequence[Any]) -> Block:
    """The declaration of block `index`, which may read the cell's two inputs and the blocks before it."""
    return {"inputs": [Choice(*range(index + 2)) for _ in range(2)], "ops": [Choice(*operations) for _ in range(2)]}


@part
def cell(
    blocks: int = 5,
    operations: Sequence[Any] = ops.NASNET_OPS,
    cells: int = 2,
    filters: int = 16,
    stages: int = 3,
) -> Space:
    """The NASNet space: 2 cells x `blocks` blocks x 2 inputs x 2 operations, 40 decisions for 5 blocks.

    `cells` (normal cells a stage) and `filters` scale the network without touching the decisions: search small,
    train large. `operations` are NASNet's 13 by default; `ops.AMOEBANET_OPS` has AmoebaNet's 8.
    """

    ops.check_labels(operations)
    normal, reduction = ([block(index, operations) for index in range(blocks)] for _ in range(2))
    return Space(CellNetwork, normal=normal, reduction=reduction, cells=cells, filters=filters, stages=stages)
