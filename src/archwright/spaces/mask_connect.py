"""MaskConnect (Ahmed and Torresani, 2018; SURVEY S20): residual modules, each reading K of all modules before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import Subset
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.opening import every, taken
from archwright.spaces.space import Space
from archwright.spaces.wiring import needed, weighted_sum

Reads = Sequence[Any]
"""Of a stage: what each module reads, and last what its output does; 0 is the stage's input, n the n-th module."""


class ResNeXt(nn.Module):
    """A residual module of `cardinality` branches (Xie et al., 2017): 1x1, grouped 3x3 and 1x1 convolution, added to
    the input."""

    def __init__(self, channels: int, cardinality: int, width: int) -> None:
        """`width` is a branch's channels."""
        super().__init__()
        inner = cardinality * width
        self.branches = nn.Sequential(
            ops.normalized_convolution(channels, inner, kernel=1),
            nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out."""
        return self.relu(x + self.branches(x))  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Modules that read the sum of some earlier ones; those that the output doesn't depend on are left out."""

    def __init__(self, reads: Reads, channels: int, cardinality: int, width: int) -> None:
        super().__init__()
        self.reads = dict(enumerate(reads, start=1))
        live = needed({place: every(read) for place, read in self.reads.items()}, len(reads))
        self.blocks = nn.ModuleDict(
            {str(place): ResNeXt(channels, cardinality, width) for place in range(1, len(reads)) if place in live}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out."""
        now = {place: taken(read) for place, read in self.reads.items()}
        live = needed({place: [source for source, _ in read] for place, read in now.items()}, len(now))
        values = {0: x}
        for place, read in now.items():
            if place in live:
                total = weighted_sum([(values[source], weight) for source, weight in read])
                values[place] = self.blocks[str(place)](total) if place < len(now) else total
        return values[len(now)]


class MaskConnect(nn.Module):
    """Stages with a strided 3x3 convolution before each but the first; twice the channels each; linear classifier."""

    def __init__(
        self, signature: Signature, stages: Sequence[Reads], channels: int = 64, cardinality: int = 8, width: int = 8
    ) -> None:
        super().__init__()
        body: list[nn.Module] = []
        before = image_channels(signature)
        for number, reads in enumerate(stages):
            wide, branch = signature.channels(channels * 2**number), signature.channels(width * 2**number)
            body.append(ops.normalized_convolution(before, wide, stride=2 if number else 1))
            body.append(Stage(reads, wide, cardinality, branch))
            before = wide
        self.body = nn.Sequential(*body)
        self.head = ops.classifier(before, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(x))  # type: ignore[no-any-return]

    @staticmethod
    def graph(stages: Sequence[Reads], **_: Any) -> Graph:
        """A vertex a module and one where each stage begins, stage after stage, without what leads nowhere."""
        labels: list[str] = []
        edges: list[tuple[int, int, str]] = []
        before: list[int] = []
        for number, reads in enumerate(stages, start=1):
            start = len(labels)
            labels += [f"stage={number}", *[f"module/stage={number}"] * (len(reads) - 1)]
            edges += [(source, start, "") for source in before]
            edges += [
                (start + source, start + place, "") for place, read in enumerate(reads[:-1], start=1) for source in read
            ]
            before = [start + source for source in reads[-1]]
        edges += [(source, len(labels), "") for source in before]
        return Graph((*labels, "output"), tuple(edges)).pruned([0], [len(labels)])


@part
def maskconnect(
    modules: Sequence[int] = (3, 3, 3),
    fan_in: int = 2,
    channels: int = 64,
    cardinality: int = 8,
    width: int = 8,
) -> Space:
    """So many residual modules in each stage, each reading the sum of `fan_in` of all earlier ones of its stage (of all
    of them, where there are fewer), and so does the stage's output.

    3 modules in each of 3 stages are ResNeXt-29's depth. `channels` and `width` (of each of `cardinality` branches)
    are the first stage's, and double from stage to stage. Learning the connections by gradients is the masks of the
    paper and the connectivity of Shin et al. (2018).
    """
    stages = [[Subset(min(fan_in, place), *range(place)) for place in range(1, count + 2)] for count in modules]
    return Space(MaskConnect, stages=stages, channels=channels, cardinality=cardinality, width=width)
