"""ENAS' two spaces (Pham et al., 2018, sections 2.3 and 2.4; SURVEY S8): whole networks (macro) and cells (micro)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.cells import Block, CellNetwork, block
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.opening import every, share, taken
from archwright.spaces.space import Space
from archwright.spaces.wiring import Joined, absent, weighted_sum

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

Layer = dict[str, Any]
"""One decided layer: {"op", "skips": a flag for the stem and each layer before the previous one}."""


def separable(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> nn.Module:
    """Depthwise convolution, 1x1 convolution, batch-norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, kernel, stride, kernel // 2, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def behind_projection(in_channels: int, out_channels: int, stride: int = 1, *, then: Any, kernel: int) -> nn.Module:
    """1x1 convolution, batch-norm and ReLU, and `then`, an op of that kernel: the form of all of the macro space's."""
    return nn.Sequential(
        ops.normalized_convolution(in_channels, out_channels, kernel=1),
        then(out_channels, out_channels, stride, kernel=kernel),
    )


MACRO_OPS = ops.library(
    ops.Op("enas_conv_3x3", behind_projection, then=ops.normalized_convolution, kernel=3),
    ops.Op("enas_sep_conv_3x3", behind_projection, then=separable, kernel=3),
    ops.Op("enas_conv_5x5", behind_projection, then=ops.normalized_convolution, kernel=5),
    ops.Op("enas_sep_conv_5x5", behind_projection, then=separable, kernel=5),
    ops.Op("enas_avg_pool_3x3", behind_projection, then=ops.average_pool, kernel=3),
    ops.Op("enas_max_pool_3x3", behind_projection, then=ops.max_pool, kernel=3),
)
"""The 6 of the macro space, in the order of the authors' code."""

MICRO_OPS = tuple(ops.NASNET_OPS[index] for index in (10, 11, 4, 5, 0))
"""The 5 of the micro space, in the order of the authors' code: separable 3x3 and 5x5, both pools, identity."""


class EnasMacro(nn.Module):
    """Layers that apply an op to the layer before, and add the outputs of any earlier ones; batch-norm follows.

    Behind a third and two thirds of the layers all outputs that are still read are halved by a factorized reduction
    each, and get `growth` times the channels. Output 0 is the stem's, output n the n-th layer's.
    """

    def __init__(self, signature: Signature, layers: Sequence[Layer], channels: int = 36, growth: int = 1) -> None:
        super().__init__()
        self.skips = [layer["skips"] for layer in layers]
        third = len(layers) // 3
        self.reduced_behind = {third, 2 * third} - {0}
        width = signature.channels(channels)
        self.stem = ops.stem(image_channels(signature), width)
        self.layers = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        self.reductions = nn.ModuleDict()
        for place, layer in enumerate(layers, start=1):
            self.layers[str(place)] = layer["op"](width, width, 1)
            if place > 1:
                self.norms[str(place)] = nn.BatchNorm2d(width)
            if place in self.reduced_behind:
                before, width = width, width * growth
                for source in (place, *self._read_behind(place, lambda flag: any(every(flag)))):
                    self.reductions[f"{place}_{source}"] = ops.FactorizedReduce(before, width)
        self.head = ops.classifier(width, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        outputs = {0: self.stem(x)}
        for place, skips in enumerate(self.skips, start=1):
            made = self.layers[str(place)](outputs[place - 1])
            if place > 1:
                made = self.norms[str(place)](weighted_sum([(made, 1.0), *self._skipped(outputs, skips)]))
            outputs[place] = made
            if place in self.reduced_behind:
                kept = [place, *self._read_behind(place, lambda flag: not absent(share(flag)))]
                outputs = {source: self.reductions[f"{place}_{source}"](outputs[source]) for source in kept}
        return self.head(outputs[len(self.skips)])  # type: ignore[no-any-return]

    @staticmethod
    def _skipped(outputs: dict[int, Tensor], skips: Sequence[Any]) -> list[tuple[Tensor, Weight]]:
        weights = [(source, share(flag)) for source, flag in enumerate(skips)]
        return [(outputs[source], weight) for source, weight in weights if not absent(weight)]

    def _read_behind(self, place: int, there: Any) -> list[int]:
        """The outputs before layer `place`'s that skips behind it read, where `there(flag)` says which skips count."""
        later = self.skips[place:]
        return [source for source in range(place) if any(there(skips[source]) for skips in later)]

    @staticmethod
    def graph(layers: Sequence[Layer], **_: Any) -> Graph:
        """A vertex a layer; operations on the edges from the layer before, skips without a label."""
        edges = [(place, place + 1, ops.op_label(layer["op"])) for place, layer in enumerate(layers)]
        edges += [
            (source, place, "")
            for place, layer in enumerate(layers, start=1)
            for source, there in enumerate(layer["skips"])
            if there
        ]
        return Graph(("input", *["sum"] * len(layers)), tuple(edges))


@part
def enas_macro(layers: int = 12, operations: Sequence[Any] = MACRO_OPS, channels: int = 36, growth: int = 1) -> Space:
    """ENAS' macro space: 6 operations a layer and all skips, 6^12 x 2^66 networks of 12 layers.

    `channels` and `growth` are those of the search; the paper's final networks have more, which double at each
    reduction (`growth=2`). Where those concatenate the skips and project them, ours add them, as the search does.
    """
    ops.check_labels(operations)
    declared = [
        {"op": Choice(*operations), "skips": [Choice(False, True) for _ in range(place)]} for place in range(layers)
    ]
    return Space(EnasMacro, layers=declared, channels=channels, growth=growth)


class EnasCell(nn.Module):
    """Blocks of two operations over any earlier states; a 1x1 convolution of those that no block reads is the output.

    So a cell has the same channels whatever is loose. How loose a state is while its readers are open is the
    probability that none of them reads it: the product of one minus each reader's weight.
    """

    def __init__(
        self, before: int, previous: int, channels: int, blocks: Sequence[Block], shrunk: int, stride: int
    ) -> None:
        """`before` and `previous` are the two inputs' channels; `shrunk` is by how much the first is larger in size."""
        super().__init__()
        self.inputs = [block["inputs"] for block in blocks]
        self.prepare_before = ops.identity(before, channels, shrunk)
        self.prepare_previous = ops.identity(previous, channels, 1)
        self.edges = nn.ModuleDict()
        for node, declared in enumerate(blocks, start=2):
            for slot, (inputs, op) in enumerate(zip(declared["inputs"], declared["ops"], strict=True)):
                for source in every(inputs):
                    made = op(channels, channels, stride if source < 2 else 1)
                    self.edges[f"{node}_{slot}_{source}"] = made
        always_read = [every(inputs) for pair in self.inputs for inputs in pair]
        self.relu = nn.ReLU()
        self.ends = [node for node in range(2, len(blocks) + 2) if [node] not in always_read]
        self.join = Joined(self.ends, channels, channels)
        self.norm = nn.BatchNorm2d(channels)
        self.out_channels = channels

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Two (batch, channels, height, width) -> (batch, out_channels, height / stride, width / stride)."""
        states = [self.prepare_before(before), self.prepare_previous(previous)]
        loose: list[Weight] = [1.0, 1.0]
        for node, pair in enumerate(self.inputs, start=2):
            terms = []
            for slot, inputs in enumerate(pair):
                for source, weight in taken(inputs):
                    terms.append((self.edges[f"{node}_{slot}_{source}"](states[source]), weight))
                    loose[source] = loose[source] * (1.0 - weight)
            states.append(weighted_sum(terms))
            loose.append(1.0)
        ends = [
            None if absent(loose[node]) else weighted_sum([(self.relu(states[node]), loose[node])])
            for node in self.ends
        ]
        return self.norm(self.join(ends))  # type: ignore[no-any-return]


class EnasCells(CellNetwork):
    """The stack of `cells.CellNetwork` with ENAS' cells."""

    cell_type = EnasCell


@part
def enas_micro(
    nodes: int = 5, operations: Sequence[Any] = MICRO_OPS, cells: int = 2, channels: int = 20, stages: int = 3
) -> Space:
    """ENAS' micro space: a normal and a reduction cell of `nodes` blocks, each with 2 inputs and 2 of 5 operations.

    The decisions are those of `cell`. `cells` (normal ones a stage) and `channels` are the search's. Loose ends are
    joined by a 1x1 convolution as in the search; the operations that read a reduction cell's inputs have stride 2, as
    in the paper's final networks (its search halves the cell's input instead).
    """
    ops.check_labels(operations)
    normal, reduction = ([block(index, operations) for index in range(nodes)] for _ in range(2))
    return Space(EnasCells, normal=normal, reduction=reduction, cells=cells, filters=channels, stages=stages)
