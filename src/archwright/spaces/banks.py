"""SMASH's space (Brock et al., 2018, section 3.1; SURVEY S19): layers that read and write memory banks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import BadSpace, Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.opening import every, share
from archwright.spaces.space import Space
from archwright.spaces.wiring import absent, weighted_sum

Layer = dict[str, Any]
"""One decided layer: {"op", "reads": a flag for each bank, "writes": likewise}."""

BANK_OPS = ops.library(
    ops.NASNET_OPS[9],
    ops.NASNET_OPS[3],
    ops.Op("conv_3x3_dilation_3", ops.convolution, kernel=3, dilation=3),
    ops.Op("conv_5x5", ops.convolution, kernel=5),
    ops.Op("dilated_conv_5x5", ops.convolution, kernel=5, dilation=2),
    ops.Op("conv_7x7", ops.convolution, kernel=7),
)
"""Convolutions of 3x3 to 7x7 with dilations of up to 3: the paper's ranges, as far as they cover at most 9 pixels."""


class Stage(nn.Module):
    """Banks of `size` channels, of which the first are filled from the input; the output is a 1x1 convolution of all.

    A layer concatenates the banks that it reads, projects them to `units` times the size of a bank, applies its op and
    adds the outcome, cut into `units` parts, to the banks that it writes: bank n gets part n modulo `units`. An empty
    bank can't be read, and a layer that has nothing to read or writes nowhere is left out.
    """

    def __init__(self, layers: Sequence[Layer], size: int, filled: int, units: int, out_channels: int) -> None:
        super().__init__()
        self.declared, self.size, self.filled, self.units = layers, size, filled, units
        self.reads, self.norms, self.ops = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        written, width = set(range(filled)), units * size
        for place, layer in enumerate(layers):
            reads, writes = (
                {n for n, flag in enumerate(layer[way]) if any(every(flag))} for way in ("reads", "writes")
            )
            if reads & written and writes:
                # Of a concatenation whose parts may come and go, a 1x1 convolution is the sum of one for each part.
                for bank in sorted(reads & written):
                    self.reads[f"{place}_{bank}"] = nn.Conv2d(size, width, 1, bias=False)
                self.norms[str(place)] = nn.BatchNorm2d(width)
                self.ops[str(place)] = layer["op"](width, width, 1)
                written |= writes
        self.leave = nn.ModuleDict(
            {str(bank): nn.Conv2d(size, out_channels, 1, bias=False) for bank in sorted(written)}
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, filled * size, height, width) -> (batch, out_channels, height, width)."""
        banks = {bank: self._part(x, bank) for bank in range(self.filled)}
        for place, layer in enumerate(self.declared):
            reads, writes = (
                [(bank, weight) for bank, weight in enumerate(map(share, layer[way])) if not absent(weight)]
                for way in ("reads", "writes")
            )
            reads = [(bank, weight) for bank, weight in reads if bank in banks]
            if reads and writes:
                heard = [(self.reads[f"{place}_{bank}"](functional.relu(banks[bank])), w) for bank, w in reads]
                made = self.ops[str(place)](self.norms[str(place)](weighted_sum(heard)))
                for bank, weight in writes:
                    before = [(banks[bank], 1.0)] if bank in banks else []
                    banks[bank] = weighted_sum([*before, (self._part(made, bank % self.units), weight)])
        terms = [self.leave[str(bank)](functional.relu(held)) for bank, held in banks.items()]
        return self.norm(ops.add(terms))  # type: ignore[no-any-return]

    def _part(self, x: Tensor, number: int) -> Tensor:
        return x[:, number * self.size : (number + 1) * self.size]


class MemoryBanks(nn.Module):
    """Stem, stages with average pooling between them, head; each stage's banks are twice as large as the last one's."""

    def __init__(
        self,
        signature: Signature,
        stages: Sequence[Sequence[Layer]],
        channels: int = 8,
        filled: int = 2,
        units: int = 2,
    ) -> None:
        super().__init__()
        sizes = [signature.channels(channels * 2**stage) for stage in range(len(stages))]
        widths = [filled * size for size in (*sizes, sizes[-1])]
        self.stem = ops.stem(image_channels(signature), widths[0])
        self.stages = nn.ModuleList(
            Stage(layers, sizes[stage], filled, units, widths[stage + 1]) for stage, layers in enumerate(stages)
        )
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.head = ops.Head(widths[-1], signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        x = self.stem(x)
        for place, stage in enumerate(self.stages):
            x = stage(self.pool(x) if place else x)
        return self.head(x)  # type: ignore[no-any-return]

    @staticmethod
    def graph(stages: Sequence[Sequence[Layer]], filled: int = 2, units: int = 2, **_: Any) -> Graph:
        """A vertex a layer, one a part of what it makes, and one for what a bank holds after each write."""
        labels, edges, ends = ["input"], list[tuple[int, int, str]](), [0]

        def vertex(text: str, sources: Sequence[int]) -> int:
            edges.extend((source, len(labels), "") for source in sources)
            labels.append(text)
            return len(labels) - 1

        for number, layers in enumerate(stages, start=1):
            start = vertex(f"stage={number}", ends)
            banks = {bank: vertex("sum", [start]) for bank in range(filled)}
            for layer in layers:
                reads, writes = ([n for n, there in enumerate(layer[way]) if there] for way in ("reads", "writes"))
                heard = [banks[bank] for bank in reads if bank in banks]
                if heard and writes:
                    made = vertex(ops.op_label(layer["op"]), heard)
                    parts = {part: vertex("part", [made]) for part in sorted({bank % units for bank in writes})}
                    for bank in writes:
                        before = [banks[bank]] if bank in banks else []
                        banks[bank] = vertex("sum", [*before, parts[bank % units]])
            ends = list(banks.values())
        vertex("output", ends)
        return Graph(tuple(labels), tuple(edges))


@part
def memory_banks(
    stages: int = 3,
    layers: int = 4,
    banks: int = 8,
    operations: Sequence[Any] = BANK_OPS,
    channels: int = 8,
    filled: int = 2,
    units: int = 2,
) -> Space:
    """SMASH's space: each layer reads some memory banks and writes some, by which ResNets (read and write the same),
    DenseNets (read all before, write the next) and FractalNets are special cases.

    `channels` are those of a bank of the first stage, 8 in the paper; `filled` banks hold a stage's input at first; a
    layer makes `units` banks' worth of channels. The paper draws the sizes of banks and layers, the number of layers
    and groups of convolutions too, within a budget of parameters; here they are settings, and convolutions are not
    grouped.

    Raises:
        BadSpace: there are fewer banks than are filled.
    """
    if not 1 <= filled <= banks:
        raise BadSpace(f"between 1 and all {banks} banks can hold a stage's input, not {filled}")
    ops.check_labels(operations)
    declared = [
        [
            {
                "op": Choice(*operations),
                "reads": [Choice(False, True) for _ in range(banks)],
                "writes": [Choice(False, True) for _ in range(banks)],
            }
            for _ in range(layers)
        ]
        for _ in range(stages)
    ]
    return Space(MemoryBanks, stages=declared, channels=channels, filled=filled, units=units)
