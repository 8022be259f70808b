"""NAS-Bench-101 (Ying et al., 2019): cells of up to 7 vertices and 9 edges, an operation a vertex, 423,624 graphs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.ops import NASBENCH101_OPS, Op, add, normalized_convolution
from archwright.spaces.space import Space

VERTICES = 7
"""Input, five operations, output."""

MOST_EDGES = 9

EDGES = tuple((a, b) for b in range(1, VERTICES) for a in range(b))
"""(source, target): all 21 that lead forward, ordered by target."""

NUMBERS = {"input": -1, "output": -2} | {op.label: index for index, op in enumerate(NASBENCH101_OPS)}
"""What the official hash writes for a vertex's label."""


class Cell(nn.Module):
    """A vertex sums what comes in and applies its operation; what leads to the output is concatenated there.

    The input reaches each of its targets through a 1x1 projection to the target's channels, and is added to the
    output; a vertex with one channel more than its target is truncated.
    """

    def __init__(self, in_channels: int, out_channels: int, graph: Graph, ops: Mapping[str, Op]) -> None:
        super().__init__()
        self.output = len(graph.labels) - 1
        self.channels = vertex_channels(graph, in_channels, out_channels)
        self.sources = [[a for a, b, _ in graph.edges if b == vertex] for vertex in range(self.output + 1)]
        self.projections = nn.ModuleDict(
            {
                str(vertex): normalized_convolution(in_channels, self.channels[vertex], kernel=1)
                for vertex, sources in enumerate(self.sources)
                if 0 in sources
            }
        )
        self.ops = nn.ModuleDict(
            {
                str(vertex): ops[graph.labels[vertex]](self.channels[vertex], self.channels[vertex], 1)
                for vertex in range(1, self.output)
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, height, width)."""
        values = [x]
        for vertex in range(1, self.output):
            terms = [values[a][:, : self.channels[vertex]] for a in self.sources[vertex] if a > 0]
            if 0 in self.sources[vertex]:
                terms.append(self.projections[str(vertex)](x))
            values.append(self.ops[str(vertex)](add(terms)))
        joined = [values[a] for a in self.sources[self.output] if a > 0]
        total = [torch.cat(joined, dim=1)] if joined else []
        if 0 in self.sources[self.output]:
            total.append(self.projections[str(self.output)](x))
        return add(total)


class NasBench101(nn.Module):
    """Stem, three stacks of equal cells with max pooling between them and twice the channels each, linear classifier.

    Batch normalisation averages over as many batches as torch's default says; the benchmark's momentum of 0.997 is for
    trainings of 108 epochs.
    """

    def __init__(
        self,
        signature: Signature,
        edges: Sequence[bool],
        ops: Sequence[Op],
        modules: int = 3,
        channels: int = 128,
    ) -> None:
        super().__init__()
        graph, by_name = self.graph(edges, ops), {op.label: op for op in ops}
        width = max(signature.channels(channels), VERTICES - 2)  # each vertex before the output needs a channel
        self.stem = normalized_convolution(image_channels(signature), width, kernel=3)
        body: list[nn.Module] = []
        before = width
        for stack in range(3):
            if stack:
                body.append(nn.MaxPool2d(2, ceil_mode=True))  # ceil_mode matters for odd sizes only
            for _ in range(modules):
                body.append(Cell(before, width * 2**stack, graph, by_name))
                before = width * 2**stack
        self.body = nn.Sequential(*body)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(before, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.linear(self.pool(self.body(self.stem(x))).flatten(1))  # type: ignore[no-any-return]

    @staticmethod
    def graph(edges: Sequence[bool], ops: Sequence[Op], **_: Any) -> Graph:
        """The cell: operations on vertices, without the vertices that lie on no path from input to output."""
        labels = ("input", *(op.label for op in ops), "output")
        kept = tuple((a, b, "") for (a, b), there in zip(EDGES, edges, strict=True) if there)
        return Graph(labels, kept).pruned([0], [VERTICES - 1])

    @staticmethod
    def excluded(edges: Sequence[bool], ops: Sequence[Op], **_: Any) -> str | None:
        """What the benchmark calls outside its domain: no path, or more than 9 edges on paths."""
        count = len(NasBench101.graph(edges, ops).edges)
        if count == 0:
            return "no path leads from the cell's input to its output"
        return f"a cell has at most {MOST_EDGES} edges, not {count}" if count > MOST_EDGES else None

    @staticmethod
    def normal_form(edges: Sequence[bool], ops: Sequence[Op], **_: Any) -> str:
        """The benchmark's own definition of equal cells: its hash."""
        return module_hash(NasBench101.graph(edges, ops))


def vertex_channels(graph: Graph, in_channels: int, out_channels: int) -> list[int]:
    """How many channels each vertex of a pruned cell has.

    Those that lead to the output share its channels, the first ones taking one more where it does not come out even;
    any other vertex has as many as the widest that it leads to.
    """
    output = len(graph.labels) - 1
    counts = [0] * output + [out_channels]
    last = [a for a, b, _ in graph.edges if b == output and a > 0]
    for place, vertex in enumerate(sorted(last)):
        counts[vertex] = out_channels // len(last) + (place < out_channels % len(last))
    for vertex in range(output - 1, 0, -1):
        if vertex not in last:
            counts[vertex] = max(counts[b] for a, b, _ in graph.edges if a == vertex)
    counts[0] = in_channels
    return counts


def module_hash(graph: Graph) -> str:
    """The official key of a pruned cell: equal for isomorphic ones, and among its 423,624 for these only.

    A vertex starts as the MD5 of (out-degree, in-degree, label's number). As many rounds as there are vertices hash it
    anew with what lies before and behind it, each sorted. The key is the hash of all vertices, sorted.
    """
    vertices = range(len(graph.labels))
    before: list[list[int]] = [[] for _ in vertices]
    behind: list[list[int]] = [[] for _ in vertices]
    for a, b, _ in graph.edges:
        behind[a].append(b)
        before[b].append(a)
    hashes = [_md5(str((len(behind[v]), len(before[v]), NUMBERS[graph.labels[v]]))) for v in vertices]
    for _round in vertices:
        sides = [["".join(sorted(hashes[w] for w in side[v])) for side in (before, behind)] for v in vertices]
        hashes = [_md5("|".join([*sides[v], hashes[v]])) for v in vertices]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@part
def nasbench101(modules: int = 3, channels: int = 128) -> Space:
    """The NAS-Bench-101 space; the benchmark trains 3 modules (cells) a stack and 128 channels in the first.

    21 edges are there or not and 5 vertices have one of 3 operations, so 2^21 x 3^5 architectures, of which the space
    excludes those that are outside the benchmark: random ones are drawn until one is inside, as in its own experiments.
    """
    return Space(
        NasBench101,
        edges=[Choice(False, True) for _ in EDGES],
        ops=[Choice(*NASBENCH101_OPS) for _ in range(VERTICES - 2)],
        modules=modules,
        channels=channels,
    )
