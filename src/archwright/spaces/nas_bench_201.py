"""NAS-Bench-201 (Dong and Yang, 2020): a cell of 4 nodes and 6 edges, 5 operations an edge, 15,625 strings."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.architecture import Architecture, BadArchitecture
from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.ops import NASBENCH201_OPS, Head, Op, Zero, add, convolution, stem
from archwright.spaces.space import Space

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target), in the order of the benchmark's strings."""


class Cell(nn.Module):
    """Node 0 is the input, node 3 the output; each node sums its edges. Edges of `none` cost nothing."""

    def __init__(self, channels: int, edges: list[Op]) -> None:
        super().__init__()
        made = [op(channels, channels, 1) for op in edges]
        self.live = [index for index, module in enumerate(made) if not isinstance(module, Zero)]
        self.edges = nn.ModuleDict(
            {f"{a}_{b}": made[index] for index, (a, b) in enumerate(EDGES) if index in self.live}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out."""
        nodes = [x]
        for target in (1, 2, 3):
            terms = [self.edges[f"{a}_{b}"](nodes[a]) for a, b in (EDGES[index] for index in self.live) if b == target]
            nodes.append(add(terms) if terms else torch.zeros_like(x))
        return nodes[3]


class ResidualReduction(nn.Module):
    """The benchmark's residual block between stages: halves the image, changes the channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(convolution(in_channels, out_channels, 2), convolution(out_channels, out_channels, 1))
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),  # ceil_mode matters for odd sizes only
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, height, width) -> (batch, out, ceil(height / 2), ceil(width / 2))."""
        return self.main(x) + self.shortcut(x)  # type: ignore[no-any-return]


class NasBench201(nn.Module):
    """Stem, three stages of equal cells with residual reductions between them, head."""

    def __init__(self, signature: Signature, edges: list[Op], cells: int = 5, channels: int = 16) -> None:
        super().__init__()
        widths = [signature.channels(channels * 2**stage) for stage in range(3)]
        body: list[nn.Module] = []
        for stage, width in enumerate(widths):
            if stage:
                body.append(ResidualReduction(widths[stage - 1], width))
            body += [Cell(width, edges) for _ in range(cells)]
        self.stem = stem(image_channels(signature), widths[0])
        self.body = nn.Sequential(*body)
        self.head = Head(widths[-1], signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(self.stem(x)))  # type: ignore[no-any-return]

    @staticmethod
    def graph(edges: list[Op], **_: Any) -> Graph:
        """The cell: operations on edges, `none` left out, and what touches neither input nor output."""
        kept = tuple((a, b, op.label) for (a, b), op in zip(EDGES, edges, strict=True) if op.label != "none")
        return Graph(("input", "sum", "sum", "output"), kept).pruned([0], [3])

    @staticmethod
    def normal_form(edges: list[Op], **_: Any) -> str:
        """The benchmark's own definition of equal cells, by which its 15,625 strings are 6,466 architectures.

        A node is the sorted sum of its edges' terms; `skip_connect` hands its source's term on, and what comes out of
        `none` or from a zero is '#'. (It writes graphs out as trees, so two convolutions of one input count as one
        convolution used twice; by exact isomorphism of the simplified graphs there are 5,425.)
        """
        nodes = ["0"]
        for target in (1, 2, 3):
            terms = []
            for (a, b), op in zip(EDGES, edges, strict=True):
                if b != target:
                    continue
                dead = op.label == "none" or nodes[a] == "#"
                terms.append("#" if dead else nodes[a] if op.label == "skip_connect" else f"({nodes[a]})@{op.label}")
            nodes.append("+".join(sorted(terms)))
        return nodes[3]

    @staticmethod
    def from_string(text: str) -> Architecture:
        """The architecture of the benchmark's string, for tables that name architectures so."""
        return from_string(text)


@part
def nasbench201(cells: int = 5, channels: int = 16) -> Space:
    """The NAS-Bench-201 space; the benchmark trains 5 cells a stage and 16 channels."""
    return Space(NasBench201, edges=[Choice(*NASBENCH201_OPS) for _ in EDGES], cells=cells, channels=channels)


def to_string(architecture: Architecture) -> str:
    """The benchmark's string, such as |nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|."""
    names = [NASBENCH201_OPS[int(index)].label for _, index in architecture]
    by_node = [[f"{name}~{a}" for (a, b), name in zip(EDGES, names, strict=True) if b == node] for node in (1, 2, 3)]
    return "+".join(f"|{'|'.join(terms)}|" for terms in by_node)


def from_string(text: str) -> Architecture:
    """The inverse of `to_string`.

    Raises:
        BadArchitecture: not such a string.
    """
    known = [op.label for op in NASBENCH201_OPS]
    found = re.findall(r"([a-z0-9_]+)~(\d)", text)
    if [int(source) for _, source in found] != [a for a, _ in EDGES] or any(name not in known for name, _ in found):
        raise BadArchitecture(f"not a NAS-Bench-201 string: {text!r}")
    return Architecture(tuple((f"edges[{index}]", known.index(name)) for index, (name, _) in enumerate(found)))
