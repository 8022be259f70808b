"""The stages of Once-for-All (Cai et al., 2020): how many blocks, how wide inside, with which kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import BadSpace, Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import ops
from archwright.spaces.images import image_channels
from archwright.spaces.mobile import Residual, inverted_bottleneck, relu6_convolution
from archwright.spaces.opening import running
from archwright.spaces.space import Space


class ElasticMobile(nn.Module):
    """Stem, stages of inverted residuals, head. The first block of a stage takes its stride and makes its width.

    Args:
        stages: the blocks of each, {"kernel": ..., "expansion": ...}.
        widths: channels of each stage.
        strides: of each stage.
    """

    def __init__(
        self,
        signature: Signature,
        stages: Sequence[Sequence[dict[str, Any]]],
        widths: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        super().__init__()
        channels = signature.channels(widths[0])
        self.stem = relu6_convolution(image_channels(signature), channels, kernel=3)
        self.declared = stages
        self.stages = nn.ModuleList()
        for blocks, width, stride in zip(stages, map(signature.channels, widths), strides, strict=True):
            made = nn.ModuleList()
            for index, block in enumerate(blocks):
                op = partial(inverted_bottleneck, **block)
                made.append(Residual(op, channels, width, 1 if index else stride))
                channels = width
            self.stages.append(made)
        self.head = ops.classifier(channels, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        x = self.stem(x)
        for stage, blocks in zip(self.stages, self.declared, strict=True):
            for block in running(list(stage.children()), blocks):
                x = block(x)
        return self.head(x)  # type: ignore[no-any-return]


@part
def elastic_mobile(
    widths: Sequence[int] = (16, 24, 40),
    strides: Sequence[int] = (1, 2, 2),
    depth: tuple[int, int] = (2, 4),
    kernels: Sequence[int] = (3, 5, 7),
    expansions: Sequence[int] = (3, 4, 6),
) -> Space:
    """Once-for-All's space: in each stage 2 to 4 blocks, in each block a kernel and an expansion ratio.

    Depths, kernels and ratios are the paper's (section 3.1). Sized for small images: three stages rather than five, of
    MobileNetV2's blocks (no squeeze-and-excitation), and the image's resolution is the task's.

    Args:
        depth: fewest and most blocks of a stage.

    Raises:
        BadSpace: an expansion of 1, which would leave out the convolution that others share.
    """
    if min(expansions) < 2:
        raise BadSpace(f"blocks expand their channels at least 2 times, not {min(expansions)}")
    block = {"kernel": Choice(*kernels), "expansion": Choice(*expansions)}
    stages = [Repeat(block, times=Integer(*depth)) for _ in widths]
    return Space(ElasticMobile, stages=stages, widths=tuple(widths), strides=tuple(strides))
