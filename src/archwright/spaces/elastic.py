"""Elastic layers: torch's own layers of sizes that may be left open (Once-for-All: Cai et al., 2020, section 3.2).

Each function takes what torch's class takes. Where all sizes are numbers it returns torch's layer itself; where one is
left open, a layer that holds the weights of the largest size under the same names, and computes with the part of them
that belongs to the sizes decided now: the first channels or features, and the centre of a kernel.

    hidden = computed(operator.mul, channels, expansion)
    self.expand = elastic.conv2d(channels, hidden)
    self.depthwise = elastic.conv2d(hidden, hidden, kernel, groups=hidden)
    self.project = elastic.conv2d(hidden, channels)

A size can't be a mixture: sizes are decided, by a strategy or a sampler that names architectures.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import BadSpace
from archwright.core.errors import ArchwrightError
from archwright.spaces.opening import Undecided, current, every, largest

Size = Any
"""A whole number, or a choice of whole numbers that was left open (`Undecided`)."""


class Computed(Undecided):
    """A size that follows from others: it is what they make it, and is not decided itself."""

    def __init__(self, function: Callable[..., int], sizes: tuple[Size, ...]) -> None:
        open_ones = [size for size in sizes if isinstance(size, Undecided)]
        super().__init__(" and ".join(size.name for size in open_ones), open_ones[0].choice, False)
        self._function, self._sizes = function, sizes
        self.options = tuple(sorted({function(*values) for values in product(*map(every, sizes))}))

    @property
    def value(self) -> int:
        """The size now.

        Raises:
            ArchwrightError: what it follows from is not decided.
        """
        return self._function(*map(current, self._sizes))


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
        channels, filters, kernel = map(current, self._sizes)
        edge = (self.kernel_size[0] - kernel) // 2
        centre = slice(edge, edge + kernel)
        read = slice(1 if self._is_depthwise else channels)
        return {"weight": (slice(filters), read, centre, centre), "bias": (slice(filters),)}

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, ...), at the sizes decided now."""
        kernel = current(self._sizes[2])
        padding = self.dilation[0] * (kernel // 2) if self._padding is None else self._padding
        groups = x.shape[1] if self._is_depthwise else 1
        return functional.conv2d(
            x, **self.now(), stride=self.stride, padding=padding, dilation=self.dilation, groups=groups
        )


class ElasticLinear(Elastic, nn.Linear):
    """`linear` with a size left open."""

    def __init__(self, in_features: Size, out_features: Size, bias: bool) -> None:
        super().__init__(largest(in_features), largest(out_features), bias)
        self._sizes = (in_features, out_features)

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first rows and columns."""
        read, made = map(current, self._sizes)
        return {"weight": (slice(made), slice(read)), "bias": (slice(made),)}

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features), at the sizes decided now."""
        return functional.linear(x, **self.now())


class ElasticBatchNorm2d(Elastic, nn.BatchNorm2d):
    """`batch_norm2d` with its channels left open."""

    def __init__(self, channels: Size) -> None:
        super().__init__(largest(channels))
        self._channels = channels

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first channels, of the running statistics too."""
        now = (slice(current(self._channels)),)
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
        return dict.fromkeys(("weight", "bias"), (slice(current(self._features)),))

    def forward(self, x: Tensor) -> Tensor:
        """(..., features), the same out."""
        return functional.layer_norm(x, (current(self._features),), **self.now(), eps=self.eps)


class ElasticEmbedding(Elastic, nn.Embedding):
    """`embedding` with its features left open."""

    def __init__(self, count: int, features: Size) -> None:
        super().__init__(count, largest(features))
        self._features = features

    def parts(self) -> dict[str, tuple[slice, ...]]:
        """The first features of each vector."""
        return {"weight": (slice(None), slice(current(self._features)))}

    def forward(self, x: Tensor) -> Tensor:
        """(...) whole numbers -> (..., features)."""
        return functional.embedding(x, **self.now())


def _any_open(*sizes: Size) -> bool:
    return any(isinstance(size, Undecided) for size in sizes)
