"""The cell of progressive search (Liu et al., 2018a, section 3; SURVEY S7): one for both uses, of 1 to B blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright.core.choices import Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.cells import Block, CellNetwork, block, cell_graph
from archwright.spaces.graphs import Graph
from archwright.spaces.space import Space


class ProgressiveNetwork(CellNetwork):
    """A cell network whose reduction cells are the normal cell with stride 2."""

    def __init__(
        self, signature: Signature, blocks: Sequence[Block], cells: int = 2, filters: int = 24, stages: int = 3
    ) -> None:
        super().__init__(signature, blocks, blocks, cells, filters, stages)

    @staticmethod
    def graph(blocks: Sequence[Block], **_: Any) -> Graph:  # type: ignore[override]
        """The one cell."""
        return cell_graph(blocks)


@part
def pnas(
    blocks: int = 5,
    operations: Sequence[Any] = ops.PNAS_OPS,
    cells: int = 2,
    filters: int = 24,
    stages: int = 3,
) -> Space:
    """PNAS's space: 1 to `blocks` blocks of 2 inputs and 2 operations, summed.

    `cells` (normal cells a stage) and `filters` are the paper's while it searches, N = 2 and F = 24; they scale the
    network without touching the decisions.
    """
    ops.check_labels(operations)
    declared = Repeat.each([block(index, operations) for index in range(blocks)], times=Integer(1, blocks))
    return Space(ProgressiveNetwork, blocks=declared, cells=cells, filters=filters, stages=stages)
