"""Which candidates our own kernels know (see `kernels`): told by the types and settings of their modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from archwright.supernets.mixing import is_a


@dataclass(frozen=True)
class Convolution:
    """ReLU, depthwise and pointwise convolution, batch-norm."""

    depth: nn.Conv2d
    point: nn.Conv2d
    norm: nn.BatchNorm2d

    @property
    def weights(self) -> tuple[Tensor, Tensor, int]:
        """As the kernels take them."""
        dilation = int(self.depth.dilation[0])
        return self.depth.weight.detach().contiguous(), self.point.weight.detach().contiguous(), dilation


@dataclass(frozen=True)
class Candidate:
    """One of three: one or two convolutions; a 3x3 pool and batch-norm; or nothing, the input itself.

    Attributes:
        modules: all that it calls, in order.
        takes_mean: of a pool, whether it is average pooling.
        norm: the batch-norm at its end.
    """

    modules: tuple[nn.Module, ...]
    stride: int = 1
    convolutions: tuple[Convolution, ...] = ()
    takes_mean: bool | None = None
    norm: nn.BatchNorm2d | None = None


def recognised(modules: Sequence[nn.Module], channels: int) -> Candidate | None:
    """A candidate that the kernels know, for an input of so many channels; None for any other."""
    every = tuple(modules)
    if len(every) == 1:
        return Candidate(every) if is_a(every[0], nn.Identity) else None
    norm = every[-1] if every else None
    if norm is None or not is_a(norm, nn.BatchNorm2d) or norm.num_features != channels:
        return None
    if len(every) == 2:
        takes_mean, stride = _pool(every[0])
        return None if takes_mean is None else Candidate(every, stride, takes_mean=takes_mean, norm=norm)
    if len(every) not in (4, 8):
        return None
    found = [_convolution(every[start : start + 4], channels) for start in range(0, len(every), 4)]
    convolutions = tuple(one for one in found if one is not None)
    strides = [int(one.depth.stride[0]) for one in convolutions]
    fits = len(convolutions) == len(found) and strides[1:] in ([], [1])
    return Candidate(every, strides[0], convolutions, norm=norm) if fits else None


def _convolution(modules: Sequence[nn.Module], channels: int) -> Convolution | None:
    relu, depth, point, norm = modules
    if not (is_a(relu, nn.ReLU) and is_a(depth, nn.Conv2d) and is_a(point, nn.Conv2d) and is_a(norm, nn.BatchNorm2d)):
        return None
    kernel, dilation = depth.kernel_size[0], depth.dilation[0]
    fits = (
        depth.groups == depth.in_channels == depth.out_channels == channels
        and depth.kernel_size in ((3, 3), (5, 5))
        and depth.dilation == (dilation, dilation)
        and depth.padding == (dilation * (kernel // 2),) * 2
        and depth.stride in ((1, 1), (2, 2))
        and depth.bias is None
        and depth.padding_mode == "zeros"
        and (point.in_channels, point.out_channels, point.groups) == (channels, channels, 1)
        and (point.kernel_size, point.stride, point.padding) == ((1, 1), (1, 1), (0, 0))
        and point.bias is None
    )
    return Convolution(depth, point, norm) if fits else None


def _pool(module: nn.Module) -> tuple[bool | None, int]:
    """Whether it takes the mean (None: it is no pool that the kernels know), and its stride."""
    if is_a(module, nn.MaxPool2d):
        fits = _side(module.dilation) == 1 and not module.return_indices
    elif is_a(module, nn.AvgPool2d):
        fits = not module.count_include_pad and module.divisor_override is None
    else:
        return None, 1
    stride = _side(module.stride)
    fits = fits and (_side(module.kernel_size), _side(module.padding)) == (3, 1) and not module.ceil_mode
    return (isinstance(module, nn.AvgPool2d), stride) if fits and stride in (1, 2) else (None, 1)


def _side(size: Any) -> int:
    """Of a square; 0 if it is none."""
    sides = {int(side) for side in (size if isinstance(size, tuple) else (size,))}
    return sides.pop() if len(sides) == 1 else 0
