"""A transformer for images of open depth, width, heads and feed-forward ratio, as in AutoFormer (Chen et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import elastic
from archwright.spaces.images import image_channels
from archwright.spaces.opening import running
from archwright.spaces.space import Space


class Attention(nn.Module):
    """Multi-head self-attention; heads have one size, so that the first ones are the same however many there are."""

    def __init__(self, width: Any, heads: Any, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width
        inner = elastic.computed(lambda count: int(count * head_width), heads)
        self.query, self.key, self.value = (elastic.linear(width, inner) for _ in range(3))
        self.project = elastic.linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width), the same out."""
        query, key, value = (
            made.unflatten(2, (-1, self.head_width)).transpose(1, 2)  # (batch, heads, tokens, head_width)
            for made in (self.query(x), self.key(x), self.value(x))
        )
        seen = functional.scaled_dot_product_attention(query, key, value)
        return self.project(seen.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """One block: attention and a feed-forward network, each after layer-norm and added to its input."""

    def __init__(self, width: Any, heads: Any, ratio: Any, head_width: int) -> None:
        super().__init__()
        hidden = elastic.computed(lambda size, times: int(size * times), width, ratio)
        self.norm = elastic.layer_norm(width)
        self.attention = Attention(width, heads, head_width)
        self.feed = nn.Sequential(
            elastic.layer_norm(width), elastic.linear(width, hidden), nn.GELU(), elastic.linear(hidden, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, width), the same out."""
        x = x + self.attention(self.norm(x))
        return x + self.feed(x)  # type: ignore[no-any-return]


class ElasticTransformer(nn.Module):
    """Patches, learnt positions, encoder blocks, the mean over tokens, one linear layer.

    Args:
        width: numbers a token; open or not.
        blocks: {"heads": ..., "ratio": ...} each.
        patch: side in pixels; zeros fill up the last row and column of patches.
        head_width: numbers a head.
    """

    def __init__(
        self, signature: Signature, width: Any, blocks: Sequence[dict[str, Any]], patch: int, head_width: int
    ) -> None:
        super().__init__()
        channels, (height, breadth) = image_channels(signature), signature.input_shape[1:]
        width = elastic.computed(signature.channels, width)
        tokens = -(-height // patch) * -(-breadth // patch)
        self.pad = nn.ZeroPad2d((0, -breadth % patch, 0, -height % patch))
        self.patches = elastic.conv2d(channels, width, patch, patch, padding=0, bias=True)
        self.positions = elastic.embedding(tokens, width)
        self.declared = blocks
        self.blocks = nn.ModuleList(Encoder(width, head_width=head_width, **block) for block in blocks)
        self.norm = elastic.layer_norm(width)
        self.head = elastic.linear(width, signature.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        x = self.patches(self.pad(x)).flatten(2).transpose(1, 2)  # (batch, tokens, width)
        x = x + self.positions(torch.arange(x.shape[1], device=x.device))
        for block in running(list(self.blocks), self.declared):
            x = block(x)
        return self.head(self.norm(x).mean(1))  # type: ignore[no-any-return]


@part
def elastic_transformer(
    widths: Sequence[int] = (48, 64, 96),
    depth: tuple[int, int] = (2, 4),
    heads: Sequence[int] = (2, 3, 4),
    ratios: Sequence[float] = (2, 3, 4),
    patch: int = 4,
    head_width: int = 16,
) -> Space:
    """AutoFormer's kind of space at the size of small images: one width; in each block heads and feed-forward ratio.

    Weights are shared in the largest block, by their first rows and columns (the paper's weight entanglement). In
    AutoFormer-T the widths are 192 to 240, the depth 12 to 14, the heads 3 or 4 of 64 numbers, the ratios 3.5 or 4;
    its relative positions and its class token are left out.

    Args:
        depth: fewest and most blocks.
    """
    block = {"heads": Choice(*heads), "ratio": Choice(*ratios)}
    return Space(
        ElasticTransformer,
        width=Choice(*widths),
        blocks=Repeat(block, times=Integer(*depth)),
        patch=patch,
        head_width=head_width,
    )
