"""Cells that grow paths (Cai et al., 2018b; SURVEY S11): a layer is replaced by a tree of branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from torch import nn

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.grown import Grown, Mapping
from archwright.spaces.images import image_channels
from archwright.spaces.naming import Key
from archwright.spaces.space import Space
from archwright.spaces.steps import Blend, Dense, Flatten, Part, Pool, Rectify

Tree = dict[str, Any] | None
"""None hands its input on; else {"shape": "chain" or "allocation-merge", "edges": [{"op", "then": a tree}, ...]}."""

SHAPES = ("replicate-add", "split-concat", "replicate-concat", "split-add")
"""What branches read and how they are merged. In the last two channels change on the way: edges are convolutions."""

CONVOLUTIONS = {
    "conv_1x1": ("conv", 1),
    "sep_3x3": ("separable", 3),
    "sep_5x5": ("separable", 5),
    "sep_7x7": ("separable", 7),
}
POOLS: dict[str, Callable[[], nn.Module]] = {
    "avg_pool_3x3": partial(nn.AvgPool2d, 3, 1, 1, count_include_pad=False),
    "max_pool_3x3": partial(nn.MaxPool2d, 3, 1, 1),
}
LARGER = {"sep_3x3": "sep_5x5", "sep_5x5": "sep_7x7"}
MOST = 3
"""Branches of a node, in the paper."""


class PathLevel(Grown):
    """Stages of cells, all of one tree; between stages 2x2 max pooling and a 3x3 convolution that doubles the width.

    A convolution is followed by batch-norm and ReLU. `add` is a sum with learnt weights (`Blend`) and ReLU: the paper
    divides by the number of branches, and so they begin here.
    """

    def __init__(self, signature: Signature, tree: Tree, width: int, cells: int, stages: int, depth: int) -> None:
        super().__init__(image_channels(signature))
        self.tree, x = tree, 0
        for stage in range(stages):
            if stage > 0:
                x = self.step((f"pool {stage}", 0), Pool("max_2", nn.MaxPool2d(2, ceil_mode=True)), x)
            wide = max(signature.channels(width * 2**stage), MOST**depth)  # a channel at least for the thinnest branch
            x = self.layer((f"widen {stage}", 0, "main"), "conv", 3, wide, x)
            for cell in range(cells):
                x = self._tree((f"cell {stage}.{cell}", 0), tree, x)
        x = self.step(("head", 0, "pool"), Pool("mean", nn.AdaptiveAvgPool2d(1)), x)
        x = self.step(("head", 0, "flat"), Flatten(1), x)
        self.step(("head", 0, "linear"), Dense(self.widths[x], signature.outputs), x, width=signature.outputs)

    def _tree(self, key: Key, tree: Tree, x: int) -> int:
        if tree is None:
            return x
        shape, edges = tree["shape"], tree["edges"]
        channels = self.widths[x]
        starts = [channels * place // len(edges) for place in range(len(edges) + 1)]
        made: list[int] = []
        for place, edge in enumerate(edges):
            read, size = x, starts[place + 1] - starts[place]
            if shape.startswith("split"):
                some = Part(starts[place], starts[place + 1])
                read = self.step((*key, place, "part"), some, x, width=size)
            wide = size if shape.endswith("concat") else channels
            start = starts[place] if shape == "replicate-concat" else None
            read = self._edge((*key, place), edge["op"], read, wide, start)
            made.append(self._tree((*key, place), edge["then"], read))
        if shape == "chain":
            return made[0]
        if shape.endswith("concat"):
            return self.join((*key, "concat"), *made)
        blend = Blend([channels] * len(made))
        return self.step((*key, "relu"), Rectify(), self.step((*key, "sum"), blend, *made))

    def _edge(self, key: Key, op: str, x: int, width: int, start: int | None) -> int:
        if op in CONVOLUTIONS:
            kind, kernel = CONVOLUTIONS[op]
            return self.layer((*key, "main"), kind, kernel, width, x, start=start)
        if op in POOLS:
            return self.step((*key, "pool"), Pool(op, POOLS[op]()), x)
        return x

    def alignments(self, places: Sequence[int], parent: Grown) -> Iterator[Mapping]:
        """Cells by their trees, all else by its blocks."""
        section = self.plan[places[0]].key[0]
        if not isinstance(parent, PathLevel) or not str(section).startswith("cell"):
            yield from super().alignments(places, parent)
            return
        yield dict(_beside((section, 0), (section, 0), self.tree, parent.tree))

    @staticmethod
    def graph(tree: Tree, **_: Any) -> Graph:
        """One cell: a vertex an edge's op, and one a merge; edges tell the parts and their order."""
        labels, edges = ["input"], list[tuple[int, int, str]]()

        def vertex(label: str, reads: Sequence[tuple[int, str]]) -> int:
            labels.append(label)
            edges.extend((source, len(labels) - 1, text) for source, text in reads)
            return len(labels) - 1

        def grow(tree: Tree, x: int) -> int:
            if tree is None:
                return x
            made: list[int] = []
            for place, edge in enumerate(tree["edges"]):
                text = f"part {place}" if tree["shape"].startswith("split") else ""
                made.append(grow(edge["then"], vertex(edge["op"], [(x, text)])))
            if tree["shape"] == "chain":
                return made[0]
            merge = tree["shape"].rpartition("-")[2]
            return vertex(merge, [(x, str(place) if merge == "concat" else "") for place, x in enumerate(made)])

        vertex("output", [(grow(tree, 0), "")])
        return Graph(tuple(labels), tuple(edges))

    @staticmethod
    def morphs(tree: Tree, **others: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """A convolution more; an identity or a convolution that becomes several branches; a larger kernel."""
        for kind, grown in _changes(tree):
            yield kind, {"tree": grown, **others}


def _changes(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """What a tree may become without a change of what it computes.

    Branches that read all and are added: equal ones share the weight. A convolution whose filters are divided among
    branches, joined again. An identity that is split and joined. A branch more, with weight 0.
    """
    counts = range(2, MOST + 1)
    if tree is None:
        for op in CONVOLUTIONS:
            yield "deepen", {"shape": "chain", "edges": [{"op": op, "then": None}]}
        for count in counts:
            same = [{"op": "identity", "then": None}] * count
            yield "replicate", {"shape": "replicate-add", "edges": same}
            yield "split", {"shape": "split-concat", "edges": same}
        return
    shape, edges = tree["shape"], tree["edges"]
    if shape == "chain":
        for count in counts:
            yield "replicate", {"shape": "replicate-add", "edges": edges * count}
            if edges[0]["op"] in CONVOLUTIONS and edges[0]["then"] is None:
                yield "divide", {"shape": "replicate-concat", "edges": edges * count}
    if shape == "replicate-add" and len(edges) < MOST:
        for op in CONVOLUTIONS:
            yield "branch", {"shape": shape, "edges": [*edges, {"op": op, "then": None}]}
    for place, edge in enumerate(edges):
        ops = [("kernel", op) for op in [LARGER.get(edge["op"])] if op is not None]
        ops += [("deepen", op) for op in CONVOLUTIONS if edge["op"] == "identity"]
        changed = [(kind, edge | {"op": op}) for kind, op in ops]
        changed += [(kind, edge | {"then": grown}) for kind, grown in _changes(edge["then"])]
        for kind, grown in changed:
            yield kind, {"shape": shape, "edges": [*edges[:place], grown, *edges[place + 1 :]]}


def _beside(own: Key, theirs: Key, tree: Tree, other: Tree) -> Iterator[tuple[Key, Key]]:
    """The steps of a tree beside those of the parent's that they stand for; one may stand for several."""
    if tree is None or other is None:
        return
    if tree["shape"] == other["shape"]:
        yield (*own, "sum"), (*theirs, "sum")
    divided = other["shape"] == "chain" and tree["shape"] == "replicate-concat"
    others = other["edges"]
    for place, edge in enumerate(tree["edges"]):
        partner = place % len(others)
        op, before = edge["op"], others[partner]["op"]
        if place < len(others) or divided or _can_be(op, before):
            a, b = (*own, place), (*theirs, partner)
            if op in CONVOLUTIONS and before in CONVOLUTIONS:
                yield (*a, "main", CONVOLUTIONS[op][0]), (*b, "main", CONVOLUTIONS[before][0])
                yield (*a, "main", "norm"), (*b, "main", "norm")
            yield from _beside(a, b, edge["then"], others[partner]["then"])


def _can_be(op: str, other: str) -> bool:
    """Whether an edge can compute what another one does."""
    if op not in CONVOLUTIONS or other not in CONVOLUTIONS:
        return op == other
    (kind, side), (filters, least) = CONVOLUTIONS[op], CONVOLUTIONS[other]
    return side >= least and (kind == filters or kind == "separable")


@part
def path_level(width: int = 32, cells: int = 2, stages: int = 3, depth: int = 3) -> Space:
    """Path-level transformation (Cai et al., 2018b): one cell, a tree of at most `depth` levels of 1 to 3 branches.

    A node hands all of its input, or a part, to each branch, and adds or joins what they make. An edge is an operation,
    and a tree behind it. The paper puts such cells in the place of the 3x3 convolutions of DenseNet and PyramidNet;
    here they stand in a plain network of `stages` stages of `cells` cells, of `width` channels that double from
    stage to stage (at least 3 ** depth), which is ours.
    """

    def tree(levels: int) -> Choice | None:
        if levels == 0:
            return None

        def edges(operations: Sequence[str], times: int | Integer) -> Repeat:
            return Repeat({"op": Choice(*operations), "then": tree(levels - 1)}, times)

        several = Integer(2, MOST)
        keeping = ("identity", *CONVOLUTIONS, *POOLS)
        return Choice(
            None,
            {"shape": "chain", "edges": edges((*CONVOLUTIONS, *POOLS), 1)},
            *({"shape": shape, "edges": edges(keeping, several)} for shape in SHAPES[:2]),
            *({"shape": shape, "edges": edges(tuple(CONVOLUTIONS), several)} for shape in SHAPES[2:]),
        )

    return Space(PathLevel, tree=tree(depth), width=width, cells=cells, stages=stages, depth=depth)
