"""Operations: anything that makes a module, `op(in_channels, out_channels, stride) -> nn.Module`.

All keep the image's size at stride 1 and give ceil(size / stride) otherwise, so that any op can stand in for any
other. Convolutions are pre-activated, ReLU-convolution-batch-norm, as in NASNet (Zoph et al., 2018, appendix A.4).
Shapes: (batch, in_channels, height, width) -> (batch, out_channels, ceil(height / stride), ceil(width / stride)).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import BadSpace, label
from archwright.core.errors import ArchwrightError, one_of


class Op:
    """A named op with settings of its own, such as Op("sep_conv_5x5", separable_convolution, kernel=5)."""

    made_by: dict[str, Any]

    def __init__(self, name: str, make: Any, **settings: Any) -> None:
        self.label = name
        self.make = partial(make, **settings)

    def __call__(self, in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
        """Makes the module."""
        module: nn.Module = self.make(in_channels, out_channels, stride)
        return module

    def __repr__(self) -> str:
        return self.label


_LIBRARY: dict[str, Op] = {}


def library(*named: Op) -> tuple[Op, ...]:
    """Ops of the library: a manifest names them by label, so that a run's space can be made again."""
    for op in named:
        op.made_by = {"name": "op", "arguments": {"name": op.label}}
        _LIBRARY.setdefault(op.label, op)
    return named


def library_op(name: str) -> Op:
    """The library's op of that label.

    Raises:
        ArchwrightError: there is none.
    """
    if name not in _LIBRARY:
        raise ArchwrightError(one_of("op", name, _LIBRARY))
    return _LIBRARY[name]


def convolution(
    in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3, dilation: int = 1
) -> nn.Module:
    """ReLU, kernel x kernel convolution, batch-norm."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def normalized_convolution(
    in_channels: int, out_channels: int, stride: int = 1, *, kernel: int | tuple[int, int] = 3
) -> nn.Module:
    """Convolution, batch-norm, ReLU: the order of most papers before pre-activation, and of NAS-Bench-101.

    `kernel` is the side of a square, or (height, width).
    """
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sides[0] // 2, sides[1] // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, sides, stride, padding, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def factorized_convolution(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> nn.Module:
    """ReLU, 1 x kernel convolution, kernel x 1 convolution, batch-norm; both take their direction's stride."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False),
        nn.Conv2d(out_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
        nn.BatchNorm2d(out_channels),
    )


def depthwise_separable(
    in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3, dilation: int = 1
) -> nn.Module:
    """ReLU, depthwise convolution, 1x1 convolution, batch-norm."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, in_channels, kernel, stride, padding, dilation, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def separable_convolution(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> nn.Module:
    """The depthwise-separable convolution applied twice, the first with the stride (Zoph et al., 2018)."""
    return nn.Sequential(
        depthwise_separable(in_channels, in_channels, stride, kernel=kernel),
        depthwise_separable(in_channels, out_channels, 1, kernel=kernel),
    )


def max_pool(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> nn.Module:
    """Max pooling; a 1x1 convolution in front where the channels differ. Even kernels need a stride of 2 or more."""
    pool = nn.MaxPool2d(kernel, stride, padding=(kernel - 1) // 2, ceil_mode=kernel % 2 == 0)
    return _after_projection(in_channels, out_channels, pool)


def average_pool(in_channels: int, out_channels: int, stride: int = 1, *, kernel: int = 3) -> nn.Module:
    """Average pooling over the pixels inside the image; a 1x1 convolution in front where the channels differ.

    Even kernels need a stride of 2 or more.
    """
    pool = nn.AvgPool2d(kernel, stride, padding=(kernel - 1) // 2, ceil_mode=kernel % 2 == 0, count_include_pad=False)
    return _after_projection(in_channels, out_channels, pool)


def normalized_pool(in_channels: int, out_channels: int, stride: int = 1, *, pool: Any, kernel: int = 3) -> nn.Module:
    """Pooling by `pool`, then batch-norm."""
    return nn.Sequential(pool(in_channels, out_channels, stride, kernel=kernel), nn.BatchNorm2d(out_channels))


def identity(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """The input itself, or its `FactorizedReduce` or 1x1 projection where the shape has to change."""
    if stride > 1:
        return FactorizedReduce(in_channels, out_channels, stride)
    return nn.Identity() if in_channels == out_channels else convolution(in_channels, out_channels, kernel=1)


class FactorizedReduce(nn.Module):
    """Halves an image without losing every other pixel: two strided 1x1 convolutions, one shifted by a pixel."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2) -> None:
        super().__init__()
        first = (out_channels + 1) // 2
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(in_channels, first, 1, stride, bias=False)
        self.odd = nn.Conv2d(in_channels, max(out_channels - first, 1), 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, out_channels, ceil(height / stride), ceil(width / stride))."""
        x = self.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        both = torch.cat([self.even(x), self.odd(shifted)], dim=1)
        return self.norm(both[:, : self.out_channels])  # type: ignore[no-any-return]


class Zero(nn.Module):
    """No connection: zeros of the shape that any other op would give."""

    def __init__(self, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> zeros (batch, out_channels, ...)."""
        one = x[:, :1, :: self.stride, :: self.stride] * 0.0
        return one.expand(-1, self.out_channels, -1, -1)


def none(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """No connection."""
    return Zero(out_channels, stride)


class Noise(nn.Module):
    """Normal noise of the shape that any other op would give, whatever the input."""

    def __init__(self, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> noise of mean 0 and deviation 1 (batch, out_channels, ...)."""
        one = x[:, :1, :: self.stride, :: self.stride]
        return torch.randn_like(one.expand(-1, self.out_channels, -1, -1))


def noise(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """Normal noise: an op that no search should prefer (Zela et al., 2020, S4)."""
    return Noise(out_channels, stride)


def at_once(modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
    """What several modules make of one tensor: a network that calls them so lets open ops share what they compute."""
    together = getattr(modules[0], "at_once", None) if modules else None
    return [module(x) for module in modules] if together is None else together(modules, x)


def add(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


class Head(nn.Module):
    """Batch-norm and ReLU of pre-activated features, global average pooling, one linear layer."""

    def __init__(self, in_channels: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(in_channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        return self.linear(self.pool(self.relu(self.norm(x))).flatten(1))  # type: ignore[no-any-return]


def classifier(in_channels: int, outputs: int) -> nn.Module:
    """Global average pooling and one linear layer, after activated features."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(in_channels, outputs))


def stem(in_channels: int, out_channels: int) -> nn.Module:
    """3x3 convolution and batch-norm, from an image to features that pre-activated ops take."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels))


def op_label(op: Any) -> str:
    """An op's name with its settings, such as convolution(kernel=3): two ops of equal name and settings are equal."""
    if isinstance(op, partial):
        settings = [_setting(value) for value in op.args]
        settings += [f"{name}={_setting(value)}" for name, value in sorted(op.keywords.items())]
        return f"{op_label(op.func)}({','.join(settings)})"
    return label(op)


def _setting(value: Any) -> str:
    return op_label(value) if callable(value) else repr(value)


def check_labels(operations: Sequence[Any]) -> None:
    """Operations have to be told apart by name, since equal names mean equal networks.

    Raises:
        BadSpace: two have one name, as lambdas do.
    """
    names = [op_label(op) for op in operations]
    for name in names:
        if names.count(name) > 1 or not name.strip("0123456789"):
            raise BadSpace(f"several operations are called {name!r}; give each a name: Op('wide_conv', make)")


def _after_projection(in_channels: int, out_channels: int, pool: nn.Module) -> nn.Module:
    if in_channels == out_channels:
        return pool
    return nn.Sequential(convolution(in_channels, out_channels, kernel=1), pool)


NASNET_OPS = library(
    Op("identity", identity),
    Op("conv_1x3_3x1", factorized_convolution, kernel=3),
    Op("conv_1x7_7x1", factorized_convolution, kernel=7),
    Op("dilated_conv_3x3", convolution, kernel=3, dilation=2),
    Op("avg_pool_3x3", average_pool, kernel=3),
    Op("max_pool_3x3", max_pool, kernel=3),
    Op("max_pool_5x5", max_pool, kernel=5),
    Op("max_pool_7x7", max_pool, kernel=7),
    Op("conv_1x1", convolution, kernel=1),
    Op("conv_3x3", convolution, kernel=3),
    Op("sep_conv_3x3", separable_convolution, kernel=3),
    Op("sep_conv_5x5", separable_convolution, kernel=5),
    Op("sep_conv_7x7", separable_convolution, kernel=7),
)
"""The 13 operations of NASNet (Zoph et al., 2018, section 3.1; SURVEY S5)."""

AMOEBANET_OPS = (
    *(NASNET_OPS[index] for index in (0, 2, 4, 5, 10, 11, 12)),
    *library(Op("dilated_sep_conv_3x3", depthwise_separable, kernel=3, dilation=2)),
)
"""The 8 operations of AmoebaNet (Real et al., 2019)."""

PNAS_OPS = tuple(NASNET_OPS[index] for index in (10, 11, 12, 2, 0, 4, 5, 3))
"""The 8 operations of progressive search (Liu et al., 2018a, section 3.1; SURVEY S7)."""

DARTS_OPS = (
    *(NASNET_OPS[index] for index in (5, 4, 0, 10, 11)),
    AMOEBANET_OPS[-1],
    *library(Op("dilated_sep_conv_5x5", depthwise_separable, kernel=5, dilation=2)),
)
"""The 7 operations of DARTS (Liu et al., 2019b; SURVEY S9) other than `none`."""

NORMALIZED_DARTS_OPS = (
    *library(
        Op("max_pool_3x3_norm", normalized_pool, pool=max_pool),
        Op("avg_pool_3x3_norm", normalized_pool, pool=average_pool),
    ),
    *DARTS_OPS[2:],
)
"""The same with batch-norm behind the pools, as DARTS' code has them while it searches (not in its final networks)."""

NOISE = library(Op("noise", noise))[0]
"""The operation that RobustDARTS adds to tell good searches from bad ones (Zela et al., 2020)."""

NASBENCH201_OPS = library(
    Op("none", none),
    Op("skip_connect", identity),
    Op("nor_conv_1x1", convolution, kernel=1),
    Op("nor_conv_3x3", convolution, kernel=3),
    Op("avg_pool_3x3", average_pool, kernel=3),
)
"""The 5 operations of NAS-Bench-201 by the benchmark's names (Dong and Yang, 2020)."""

NASBENCH101_OPS = library(
    Op("conv3x3-bn-relu", normalized_convolution, kernel=3),
    Op("conv1x1-bn-relu", normalized_convolution, kernel=1),
    Op("maxpool3x3", max_pool, kernel=3),
)
"""The 3 operations of NAS-Bench-101 by the benchmark's names, in the order of its hash (Ying et al., 2019)."""
