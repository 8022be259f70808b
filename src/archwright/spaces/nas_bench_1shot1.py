"""NAS-Bench-1Shot1 (Zela et al., 2020): three parts of NAS-Bench-101 that a one-shot model can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import BadSpace, Choice, Subset
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.nas_bench_101 import module_hash
from archwright.spaces.opening import every, taken
from archwright.spaces.space import Space
from archwright.spaces.wiring import Joined, needed, weighted_sum

PARENTS = {1: (1, 2, 2, 2, 2), 2: (1, 1, 2, 2, 3), 3: (1, 1, 1, 2, 2, 2)}
"""How many parents each choice block has, and last the output, by search space (the paper's table 1)."""

Blocks = Sequence[dict[str, Any]]
"""Decided choice blocks: {"parents": vertices, "op"}. Vertex 0 is the cell's input, vertex n the n-th block."""


OUTPUT = -1
"""The output's number among a cell's vertices."""


class Projection(nn.Module):
    """1x1 convolution of the concatenation of a cell's parts, batch-norm, ReLU."""

    def __init__(self, parts: Sequence[int], in_channels: int, channels: int) -> None:
        super().__init__()
        self.join = Joined(parts, in_channels, channels)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, parts: Sequence[Tensor | None]) -> Tensor:
        """(batch, in_channels, height, width) each, or None -> (batch, channels, height, width)."""
        return self.relu(self.norm(self.join(parts)))  # type: ignore[no-any-return]


class Cell(nn.Module):
    """Choice blocks that sum their parents and apply an operation; a cell hands on the output's parents side by side.

    Whoever reads the cell's input, which is what the cell before handed on, has a 1x1 projection of its own.
    """

    def __init__(self, parts: Sequence[int], in_channels: int, channels: int, blocks: Blocks, output: Any) -> None:
        """`parts` and `in_channels` are the numbers of what is handed in, and the channels of each."""
        super().__init__()
        self.parents = {place: block["parents"] for place, block in enumerate(blocks, start=1)} | {OUTPUT: output}
        read = {vertex: every(parents) for vertex, parents in self.parents.items()}
        live = needed(read, OUTPUT)
        self.projections = nn.ModuleDict(
            {
                str(vertex): Projection(parts, in_channels, channels)
                for vertex, sources in read.items()
                if vertex in live and 0 in sources
            }
        )
        self.blocks = nn.ModuleDict(
            {
                str(place): block["op"](channels, channels, 1)
                for place, block in enumerate(blocks, start=1)
                if place in live
            }
        )
        self.parts = read[OUTPUT]

    def forward(self, parts: Sequence[Tensor | None]) -> list[Tensor | None]:
        """(batch, in_channels, height, width) each -> (batch, channels, height, width) each; None for a part that is
        not there now."""
        now = {vertex: taken(parents) for vertex, parents in self.parents.items()}
        live = needed({vertex: [source for source, _ in sources] for vertex, sources in now.items()}, OUTPUT)
        values: dict[int, Tensor] = {}
        for vertex, sources in now.items():
            if vertex not in live:
                continue
            if any(source == 0 for source, _ in sources):
                values[0] = self.projections[str(vertex)](parts)
            if vertex == OUTPUT:
                break
            total = weighted_sum([(values[source], weight) for source, weight in sources])
            values[vertex] = self.blocks[str(vertex)](total)
        made = {source: weighted_sum([(values[source], weight)]) for source, weight in now[OUTPUT]}
        return [made.get(source) for source in self.parts]


class NasBench1Shot1(nn.Module):
    """Stem, three stacks of cells with max pooling between them and twice the channels each, linear classifier.

    All choice blocks have the stack's channels, so that one model can hold all cells, whereas NAS-Bench-101 shares
    them among the output's parents: the cells are the benchmark's, the widths the one-shot model's.
    """

    def __init__(self, signature: Signature, blocks: Blocks, output: Any, modules: int = 3, channels: int = 16) -> None:
        super().__init__()
        width = before = signature.channels(channels)
        self.stem = ops.normalized_convolution(image_channels(signature), width, kernel=3)
        self.modules_a_stack = modules
        self.cells = nn.ModuleList()
        parts: Sequence[int] = (0,)
        for index in range(3 * modules):
            width = signature.channels(channels * 2 ** (index // modules))
            cell = Cell(parts, before, width, blocks, output)
            self.cells.append(cell)
            parts, before = cell.parts, width
        self.pool = nn.MaxPool2d(2, ceil_mode=True)  # ceil_mode matters for odd sizes only
        self.last = Projection(parts, before, before)
        self.head = ops.classifier(before, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        parts = [self.stem(x)]
        for index, cell in enumerate(self.cells):
            if index and index % self.modules_a_stack == 0:
                parts = [None if part is None else self.pool(part) for part in parts]
            parts = cell(parts)
        return self.head(self.last(parts))  # type: ignore[no-any-return]

    @staticmethod
    def graph(blocks: Blocks, output: Any, **_: Any) -> Graph:
        """The cell as NAS-Bench-101 has it, without choice blocks that lie on no path to the output."""
        last = len(blocks) + 1
        edges = [(source, place, "") for place, block in enumerate(blocks, start=1) for source in block["parents"]]
        edges += [(source, last, "") for source in output]
        labels = ("input", *(block["op"].label for block in blocks), "output")
        return Graph(labels, tuple(edges)).pruned([0], [last])

    @staticmethod
    def normal_form(blocks: Blocks, output: Any, **_: Any) -> str:
        """NAS-Bench-101's hash, by which its table is looked up."""
        return module_hash(NasBench1Shot1.graph(blocks, output))


@part
def nasbench1shot1(space: int = 1, modules: int = 3, channels: int = 16) -> Space:
    """Search space 1, 2 or 3 of NAS-Bench-1Shot1; 3 cells (`modules`) a stack and 16 channels are its one-shot model's.

    Every architecture is a cell of NAS-Bench-101, with 9 edges before those that lead nowhere are left out; keys are
    that benchmark's hashes.

    Raises:
        BadSpace: there is no such search space.
    """
    if space not in PARENTS:
        raise BadSpace(f"NAS-Bench-1Shot1 has the search spaces 1, 2 and 3, not {space!r}")
    *counts, last = PARENTS[space]
    blocks = [
        {"parents": Subset(count, *range(place)), "op": Choice(*ops.NASBENCH101_OPS)}
        for place, count in enumerate(counts, start=1)
    ]
    output = Subset(last, *range(len(counts) + 1))
    return Space(NasBench1Shot1, blocks=blocks, output=output, modules=modules, channels=channels)
