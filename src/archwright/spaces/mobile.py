"""ProxylessNAS' stages of MobileNet blocks (Cai et al., 2019, section 4.2; SURVEY S21)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import BadSpace, Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import elastic, ops
from archwright.spaces.graphs import Graph
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space


def relu6_convolution(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 1) -> nn.Module:
    """Convolution, batch-norm, ReLU6; sizes may be left open (`elastic`)."""
    return nn.Sequential(
        elastic.conv2d(in_channels, out_channels, kernel, stride), elastic.batch_norm2d(out_channels), nn.ReLU6()
    )


def inverted_bottleneck(
    in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3, expansion: int = 6
) -> nn.Module:
    """MBConv (Sandler et al., 2018): 1x1 convolution to `expansion` times the channels, depthwise convolution, 1x1
    convolution back; batch-norm after each, ReLU6 after the first two. Expansion 1 leaves out the first.

    Kernel and expansion may be left open (`elastic`), the expansion if it is never 1.
    """
    wide = elastic.computed(operator.mul, in_channels, expansion)
    return nn.Sequential(
        nn.Identity() if expansion == 1 else relu6_convolution(in_channels, wide),
        elastic.conv2d(wide, wide, kernel, stride, groups=wide),
        elastic.batch_norm2d(wide),
        nn.ReLU6(),
        elastic.conv2d(wide, out_channels),
        elastic.batch_norm2d(out_channels),
    )


MBCONV_OPS = ops.library(
    *(
        ops.Op(f"mbconv_{kernel}x{kernel}_e{expansion}", inverted_bottleneck, kernel=kernel, expansion=expansion)
        for kernel in (3, 5, 7)
        for expansion in (3, 6)
    )
)
"""The 6 of ProxylessNAS; where input and output agree in shape, `none` leaves a block out."""

NONE = ops.library_op("none")


class Residual(nn.Module):
    """An op, and its input added where the shapes agree: with the op `none` the block hands on its input."""

    def __init__(self, op: Any, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.op = op(in_channels, out_channels, stride)
        self.adds = same_shape(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, height, width) -> (batch, out, ceil(height / stride), ceil(width / stride))."""
        made: Tensor = self.op(x)
        return x + made if self.adds else made


class Mobile(nn.Module):
    """A convolution, an MBConv without expansion, the stages, a 1x1 convolution, a linear classifier."""

    def __init__(
        self,
        signature: Signature,
        stages: Sequence[Sequence[Any]],
        channels: Sequence[int],
        strides: Sequence[int],
        stem: tuple[int, int] = (32, 16),
        stem_stride: int = 2,
        head: int = 1280,
    ) -> None:
        super().__init__()
        first, before = (signature.channels(count) for count in stem)
        self.stem = nn.Sequential(
            relu6_convolution(image_channels(signature), first, stem_stride, kernel=3),
            inverted_bottleneck(first, before, expansion=1),
        )
        blocks: list[nn.Module] = []
        for stage, count, stride in zip(stages, channels, strides, strict=True):
            for place, op in enumerate(stage):
                width = signature.channels(count)
                blocks.append(Residual(op, before, width, 1 if place else stride))
                before = width
        self.blocks = nn.Sequential(*blocks)
        wide = signature.channels(head)
        self.head = nn.Sequential(relu6_convolution(before, wide), ops.classifier(wide, signature.outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.blocks(self.stem(x)))  # type: ignore[no-any-return]

    @staticmethod
    def graph(stages: Sequence[Sequence[Any]], **_: Any) -> Graph:
        """A path without the blocks that are `none`: which of a stage's blocks are left out makes no difference."""
        names = [
            f"{ops.op_label(op)}/stage={number}"
            for number, stage in enumerate(stages, start=1)
            for op in stage
            if ops.op_label(op) != NONE.label
        ]
        return Graph(("input", *names, "output"), tuple((place, place + 1, "") for place in range(len(names) + 1)))


def same_shape(in_channels: int, out_channels: int, stride: int) -> bool:
    """Whether a block's output has its input's shape."""
    return stride == 1 and in_channels == out_channels


@part
def proxyless(
    channels: Sequence[int] = (24, 40, 80, 96, 192, 320),
    blocks: Sequence[int] = (4, 4, 4, 4, 4, 1),
    strides: Sequence[int] = (2, 2, 2, 1, 2, 1),
    operations: Sequence[Any] = MBCONV_OPS,
    stem: tuple[int, int] = (32, 16),
    stem_stride: int = 2,
    head: int = 1280,
) -> Space:
    """ProxylessNAS' space: a stage for each entry of `channels`, whose first block has the stride; every block is one
    of the operations, and every block but a stage's first may be left out.

    The defaults are the paper's for ImageNet, which halve an image five times. Images of 28 or 32 pixels want fewer,
    such as `stem_stride=1, strides=(1, 2, 2, 1, 2, 1)`.

    Raises:
        BadSpace: `channels`, `blocks` and `strides` are not of one length.
    """
    if not len(channels) == len(blocks) == len(strides):
        raise BadSpace(
            f"channels, blocks and strides say one number a stage, but they have {len(channels)}, {len(blocks)} and "
            f"{len(strides)}"
        )
    ops.check_labels(operations)
    stages = []
    before = stem[1]
    for width, count, stride in zip(channels, blocks, strides, strict=True):
        whole = [True] * count if same_shape(before, width, stride) else [False, *[True] * (count - 1)]
        stages.append([Choice(*operations, NONE) if optional else Choice(*operations) for optional in whole])
        before = width
    return Space(
        Mobile,
        stages=stages,
        channels=channels,
        strides=strides,
        stem=stem,
        stem_stride=stem_stride,
        head=head,
    )
