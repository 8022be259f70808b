"""Elastic layers: torch's own layers of sizes that may be left open (Once-for-All: Cai et al., 2020, section 3.2).

Each function takes what torch's class takes. Where all sizes are numbers it returns torch's layer itself; where one is
left open, a layer that holds the weights of the largest size under the same names, and computes with the part of them
that belongs to the sizes decided now: the first channels or features, and the centre of a kernel.

    hidden = computed(operator.mul, channels, expansion)
    self.expand = elastic.conv2d(channels, hidden)
    self.depthwise = elastic.conv2d(hidden, hidden, kernel, groups=hidden)
    self.project = elastic.conv2d(hidden, channels)

Sizes may be a mixture, which a relaxation weighs: what reads channels weighs each by the sizes that have it, and a
kernel is the mean of the kernels that take part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import BadSpace
from archwright.core.errors import ArchwrightError
from archwright.spaces.opening import Undecided, current, every, largest, shares

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

Size = Any
"""A whole number, or a choice of whole numbers that was left open (`Undecided`)."""


class Computed(Undecided):
    """A size that follows from others: it is what they make it, and is not decided itself."""

    def __init__(self, function: Callable[..., int], sizes: tuple[Size, ...]) -> None:
        open_ones = [size for size in sizes if isinstance(size, Undecided)]
        super().__init__(" and ".join(size.name for size in open_ones), open_ones[0].choice, False)
        self._function, self._sizes = function, sizes
        self.options = tuple(sorted({function(*values) for values in product(*map(every, sizes))}))

    def ask_size(self) -> None:
        """Notes that the options of what it follows from are sizes."""
        for size in self._sizes:
            if isinstance(size, Undecided):
                size.ask_size()

    @property
    def value(self) -> int:
        """The size now.

        Raises:
            ArchwrightError: what it follows from is not decided.
        """
        return self._function(*map(current, self._sizes))

    @property
    def shares(self) -> Mapping[int, Weight]:
        """The sizes that take part now, with their weights: products of those of the sizes that they follow from."""
        found: dict[int, Weight] = {}
        for taken in product(*(shares(size).items() for size in self._sizes)):
            size = self._function(*(value for value, _ in taken))
            weight = prod((part for _, part in taken), start=1.0)
            found[size] = found[size] + weight if size in found else weight
        return found


def computed(function: Callable[..., int], *sizes: Size) -> Size:
    """function(*sizes): a number where all are numbers, else a size that follows from them."""
    if any(isinstance(size, Undecided) for size in sizes):
        return Computed(function, sizes)
    return function(*sizes)


def conv2d(
    in_channels: Size,
    out_channels: Size,
    kernel: Size = 1,
    stride: int = 1,
    padding: int | None = None,
    *,
    dilation: int = 1,
    groups: Size = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """A convolution. Smaller kernels are the centre of the largest, without the matrices between them of Once-for-All.

    Args:
        padding: None keeps the image's size at stride 1 (of an odd kernel), whatever the kernel is now.
        groups: 1, or both channels' own size for a depthwise convolution.

    Raises:
        BadSpace: the groups are neither; or kernels of which one can't be the centre of another.
    """
    if not _any_open(in_channels, out_channels, kernel):
        pad = dilation * (kernel // 2) if padding is None else padding
        return nn.Conv2d(in_channels, out_channels, kernel, stride, pad, dilation, groups, bias)
    return ElasticConv2d(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias)


def linear(in_features: Size, out_features: Size, bias: bool = True) -> nn.Linear:
    """A linear layer."""
    make = ElasticLinear if _any_open(in_features, out_features) else nn.Linear
    return make(in_features, out_features, bias)


def batch_norm2d(channels: Size) -> nn.BatchNorm2d:
    """Batch-norm of the first channels; each channel's statistics are shared by all widths that have it."""
    return ElasticBatchNorm2d(channels) if _any_open(channels) else nn.BatchNorm2d(channels)


def layer_norm(features: Size) -> nn.LayerNorm:
    """Layer-norm over the last axis."""
    return ElasticLayerNorm(features) if _any_open(features) else nn.LayerNorm(features)


def embedding(count: int, features: Size) -> nn.Embedding:
    """A table of `count` vectors."""
    return ElasticEmbedding(count, features) if _any_open(features) else nn.Embedding(count, features)


class Elastic(nn.Module):
    """What elastic layers share: which part of their tensors takes part now."""

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """Of each parameter and buffer that depends on a size, the part that is computed with now."""
        raise NotImplementedError

    def now(self) -> dict[str, Any]:
        """These parts, through which gradients reach the whole; None for what the layer has not, such as a bias.

        Raises:
            ArchwrightError: a size is not decided.
        """
        whole = {name: (getattr(self, name), part) for name, part in self.parts().items()}
        return {name: None if tensor is None else tensor[part] for name, (tensor, part) in whole.items()}

    def current_state(self) -> dict[str, Tensor]:
        """The state of torch's layer of the present sizes, as `state_dict` has it; of an undecided one nothing."""
        try:
            now = self.now()
        except ArchwrightError:  # its block does not run, so nobody decided how wide it is
            return {}
        return {name: tensor.detach() for name, tensor in now.items() if tensor is not None}


class ElasticConv2d(Elastic, nn.Conv2d):
    """`conv2d` with a size left open."""

    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel: Size,
        stride: int,
        padding: int | None,
        dilation: int,
        groups: Size,
        bias: bool,
    ) -> None:
        is_depthwise = groups == in_channels == out_channels
        if not is_depthwise and groups != 1:
            raise BadSpace("an elastic convolution has 1 group, or as many as it has channels in and out: that size")
        if len({size % 2 for size in every(kernel)}) > 1:
            raise BadSpace(f"of kernels {every(kernel)} one is not the centre of another: all odd, or all even")
        most = (largest(in_channels), largest(out_channels), largest(kernel))
        super().__init__(*most, stride, 0, dilation, most[0] if is_depthwise else 1, bias)
        self._sizes, self._padding, self._is_depthwise = (in_channels, out_channels, kernel), padding, is_depthwise

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first filters and channels, and the centre of the kernel."""
        channels, filters, kernel = map(extent, self._sizes)
        edge = (self.kernel_size[0] - kernel) // 2
        centre = slice(edge, edge + kernel)
        read = slice(1 if self._is_depthwise else channels)
        return {"weight": (slice(filters), read, centre, centre), "bias": (slice(filters),)}

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, ...), at the sizes that take part now."""
        kernel = extent(self._sizes[2])
        padding = self.dilation[0] * (kernel // 2) if self._padding is None else self._padding
        groups = x.shape[1] if self._is_depthwise else 1
        now, rings = self.now(), reach(self._sizes[2], x)
        if rings is not None:  # a tap belongs to all kernels whose edge is not nearer than it is
            off_centre = (torch.arange(kernel, device=x.device) - (kernel - 1) / 2).abs()
            ring = 2 * torch.maximum(off_centre[:, None], off_centre) + 1  # the smallest kernel that has the tap
            now["weight"] = now["weight"] * rings[ring.long() - 1]
        channels = reach(self._sizes[0], x)
        if channels is not None:
            x = x * channels[:, None, None]
        return functional.conv2d(x, **now, stride=self.stride, padding=padding, dilation=self.dilation, groups=groups)


class ElasticLinear(Elastic, nn.Linear):
    """`linear` with a size left open."""

    def __init__(self, in_features: Size, out_features: Size, bias: bool) -> None:
        super().__init__(largest(in_features), largest(out_features), bias)
        self._sizes = (in_features, out_features)

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first rows and columns."""
        read, made = map(extent, self._sizes)
        return {"weight": (slice(made), slice(read)), "bias": (slice(made),)}

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features), at the sizes that take part now."""
        features = reach(self._sizes[0], x)
        return functional.linear(x if features is None else x * features, **self.now())


class ElasticBatchNorm2d(Elastic, nn.BatchNorm2d):
    """`batch_norm2d` with its channels left open."""

    def __init__(self, channels: Size) -> None:
        super().__init__(largest(channels))
        self._channels = channels

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first channels, of the running statistics too."""
        now = (slice(extent(self._channels)),)
        return dict.fromkeys(("running_mean", "running_var", "weight", "bias"), now)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out; in training the statistics of these channels move."""
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # as torch has it: the mean of all batches so far
                momentum = 1.0 / float(self.num_batches_tracked)
        return functional.batch_norm(x, **self.now(), training=self.training, momentum=momentum or 0.0, eps=self.eps)


class ElasticLayerNorm(Elastic, nn.LayerNorm):
    """`layer_norm` with its features left open."""

    def __init__(self, features: Size) -> None:
        super().__init__(largest(features))
        self._features = features

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first features."""
        return dict.fromkeys(("weight", "bias"), (slice(extent(self._features)),))

    def forward(self, x: Tensor) -> Tensor:
        """(..., features), the same out; of a mixture each feature counts as far as it is there."""
        now, counted = self.now(), reach(self._features, x)
        if counted is None:
            return functional.layer_norm(x, (extent(self._features),), **now, eps=self.eps)
        share = counted / counted.sum()
        centred = x - (x * share).sum(-1, keepdim=True)
        variance = (centred.square() * share).sum(-1, keepdim=True)
        standard: Tensor = centred * (variance + self.eps).rsqrt() * now["weight"] + now["bias"]
        return standard


class ElasticEmbedding(Elastic, nn.Embedding):
    """`embedding` with its features left open."""

    def __init__(self, count: int, features: Size) -> None:
        super().__init__(count, largest(features))
        self._features = features

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first features of each vector."""
        return {"weight": (slice(None), slice(extent(self._features)))}

    def forward(self, x: Tensor) -> Tensor:
        """(...) whole numbers -> (..., features)."""
        return functional.embedding(x, **self.now())


def extent(size: Size) -> int:
    """The size to compute with now: the largest that takes part.

    Raises:
        ArchwrightError: nothing is decided about it.
    """
    return max(shares(size), default=None) or current(size)


def reach(size: Size, like: Tensor) -> Tensor | None:
    """Of a mixture of sizes, for each place the weight of those that reach it: (extent,); None of a size decided.

    Args:
        like: of the device and number type that is wanted.
    """
    taking_part = shares(size)
    if len(taking_part) == 1 and isinstance(next(iter(taking_part.values())), float):
        return None
    places = torch.arange(extent(size), device=like.device)
    parts = [weight * (places < reached).to(like) for reached, weight in taking_part.items()]
    return torch.stack(parts).sum(0)


def _any_open(*sizes: Size) -> bool:
    return any(isinstance(size, Undecided) for size in sizes)
