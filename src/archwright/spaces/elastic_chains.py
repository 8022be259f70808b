"""A chain of convolutions whose kernels and widths may be mixtures (Shin, Packer and Song, 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces import elastic
from archwright.spaces.images import image_channels
from archwright.spaces.space import Space


class ElasticChain(nn.Module):
    """Convolutions, each with batch-norm, ReLU and a pooling by 2 while the image has room; then two linear layers.

    Args:
        layers: {"kernel": ..., "filters": ...} each; open or not.
        units: between the two linear layers; open or not.
    """

    def __init__(self, signature: Signature, layers: Sequence[dict[str, Any]], units: Any) -> None:
        super().__init__()
        channels, side = image_channels(signature), min(signature.input_shape[1:])
        body: list[nn.Module] = []
        for layer in layers:
            filters = elastic.computed(signature.channels, layer["filters"])
            body += [elastic.conv2d(channels, filters, layer["kernel"]), elastic.batch_norm2d(filters), nn.ReLU()]
            if side >= 2:
                body.append(nn.MaxPool2d(2))
            channels, side = filters, side // 2
        self.body = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        hidden = elastic.computed(signature.channels, units)
        self.head = nn.Sequential(
            elastic.linear(channels, hidden), nn.ReLU(), elastic.linear(hidden, signature.outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.head(self.body(x))  # type: ignore[no-any-return]


@part
def elastic_chain(
    layers: int = 3,
    kernels: Sequence[int] = (1, 3, 5, 7),
    filters: Sequence[int] = (8, 16, 24, 32),
    units: Sequence[int] = (16, 32, 64, 128),
) -> Space:
    """A plain chain: of each convolution the kernel and the filters, and the units of the last layer but one.

    All are sizes: a relaxation may weigh them, a sampler cut them out of shared weights. The numbers are ours.
    """
    return Space(
        ElasticChain,
        layers=[{"kernel": Choice(*kernels), "filters": Choice(*filters)} for _ in range(layers)],
        units=Choice(*units),
    )
