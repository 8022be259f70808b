"""Kernels of our own for depthwise-separable convolutions on the CPU, compiled when they are first used.

An optional extra: without a C++ compiler, on other devices or for other types of numbers, PyTorch's own are used, and
nothing is said. ARCHWRIGHT_KERNELS=0 turns them off. What they compute and why that is fast stands in separable.cpp.

Tensors are (batch, channels, height, width), channels-last in memory, all of one type.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("separable.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fopenmp", "-fPIC", "-shared")
LANES = 4
"""Channels are computed by this many at a time, at least."""


def usable(x: Tensor) -> bool:
    """Whether the kernels can take this input."""
    return (
        type(x) is Tensor
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.dim() == 4
        and x.shape[1] % LANES == 0
        and x.numel() > 0
        and os.environ.get("ARCHWRIGHT_KERNELS", "1") != "0"
        and not torch.is_autocast_enabled("cpu")
        and not _watched()
        and library() is not None
    )


def _watched() -> bool:
    """Whether a mode of torch, such as a counter of operations, wants to see each of them."""
    return bool(getattr(torch._C, "_len_torch_dispatch_stack", lambda: 0)())


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The compiled kernels; None where they can't be compiled."""
    compiler = next((found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    for _ in range(2):
        try:
            made = _compiled(compiler)
        except (OSError, RuntimeError, subprocess.SubprocessError):  # RuntimeError: nobody knows where home is
            return None
        try:
            return ctypes.CDLL(str(made))
        except OSError:  # cut short, or another system's: once more
            made.unlink(missing_ok=True)
    return None


def _compiled(compiler: str) -> Path:
    """The library's file, made if it isn't there. Its name tells source, flags, compiler and processor."""
    told = (SOURCE.read_bytes(), " ".join(FLAGS), compiler, platform.machine(), _processor())
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archwright"
    made = folder / f"separable-{digest}.so"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{made.name}.{os.getpid()}.{threading.get_ident()}"
        subprocess.run([compiler, *FLAGS, "-o", str(part), str(SOURCE)], check=True, capture_output=True, timeout=300)
        os.replace(part, made)
    return made


def _processor() -> str:
    """What -march=native depends on: a home folder may be shared by unequal machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


class _Shape(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            *("images", "height", "width", "in_channels", "out_channels", "out_height", "out_width"),
            *("stride", "threads"),
        )
    ]


def out_size(x: Tensor, stride: int) -> tuple[int, int]:
    """Height and width after a stride."""
    return (x.shape[2] - 1) // stride + 1, (x.shape[3] - 1) // stride + 1


def separable(
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    convolutions: Sequence[tuple[Tensor, Tensor, int]],
    stride: int = 1,
) -> tuple[list[Tensor], Tensor, Tensor]:
    """max(0, scale * x + shift) through several depthwise convolutions, each followed by its pointwise one.

    Args:
        convolutions: (channels, 1, k, k) and (channels, channels, 1, 1), and the dilation; k is 3 or 5.

    Returns:
        Their outputs, and means and biased variances of these: float64, (convolutions, channels).
    """
    outputs = [_empty(x, stride) for _ in convolutions]
    moments = torch.empty(2, len(convolutions), x.shape[1], dtype=torch.float64)
    depth, point, kernels, dilations = _weights(convolutions)
    _call(
        "aw_separable_forward", x, stride, len(outputs), kernels, dilations, x, scale, shift, depth, point, outputs,
        moments[0], moments[1],
    )  # fmt: skip
    return outputs, moments[0], moments[1]


def separable_backward(
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    convolutions: Sequence[tuple[Tensor, Tensor, int]],
    stride: int,
    gradients: Sequence[Tensor],
    outputs: Sequence[Tensor],
    affine: tuple[Tensor, Tensor, Tensor],
    learns: bool,
    mean: Tensor | None = None,
    into: Tensor | None = None,
) -> tuple[Tensor, list[tuple[Tensor, Tensor]], Tensor, Tensor]:
    """The backward of `separable` and of the batch-norms behind.

    Args:
        gradients: at each convolution `affine[0] * gradient + affine[1] * output + affine[2]`, all (convolutions,
            channels), is the gradient at its output.
        learns: whether gradients of the weights are wanted.
        mean: of x by channel, if the sums are wanted.
        into: the gradient of x is added to this.

    Returns:
        The gradient at scale * x + shift (at x, if there is no scale); those of the weights; and by channel the sum of
        the first, and of its product with x - mean.
    """
    gx = torch.empty_like(x) if into is None else into
    depth, point, kernels, dilations = _weights(convolutions)
    made = [(torch.empty_like(first), torch.empty_like(second)) for first, second, _ in convolutions] if learns else []
    sums = torch.empty(2, x.shape[1], dtype=torch.float64)
    wanted = (sums[0], sums[1]) if mean is not None else (None, None)
    _call(
        "aw_separable_backward", x, stride, len(convolutions), kernels, dilations, x, scale, shift, mean, depth, point,
        list(gradients), list(outputs), *affine, gx, int(into is not None),
        [first for first, _ in made] or None, [second for _, second in made] or None, *wanted,
    )  # fmt: skip
    return gx, made, sums[0], sums[1]


def weighted_sum(terms: Sequence[Tensor], slope: Tensor, level: Tensor | None = None) -> Tensor:
    """The sum of slope * term by channel, plus level: slope (terms, channels), level (channels,)."""
    out = torch.empty_like(terms[0])
    _call("aw_weighted_sum", out, 1, len(terms), list(terms), slope, level, out)
    return out


def inner_products(gradient: Tensor, terms: Sequence[Tensor], mean: Tensor) -> tuple[Tensor, Tensor]:
    """By channel the sum of the gradient, (channels,), and of its products with term - mean, (terms, channels)."""
    sums = torch.empty(len(terms) + 1, gradient.shape[1], dtype=torch.float64)
    _call("aw_inner_products", gradient, 1, len(terms), gradient, list(terms), mean, sums[0], sums[1:])
    return sums[0], sums[1:]


def pool(x: Tensor, takes_mean: bool, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """3x3 max pooling or average pooling over the pixels inside, and the output's means and biased variances."""
    out, moments = _empty(x, stride), torch.empty(2, x.shape[1], dtype=torch.float64)
    _call("aw_pool_forward", x, stride, int(takes_mean), x, out, moments[0], moments[1])
    return out, moments[0], moments[1]


def pool_backward(x: Tensor, takes_mean: bool, stride: int, gradient: Tensor, into: Tensor) -> None:
    """Adds the gradient of x."""
    _call("aw_pool_backward", x, stride, int(takes_mean), x, gradient, into)


def _empty(x: Tensor, stride: int) -> Tensor:
    size = (x.shape[0], x.shape[1], *out_size(x, stride))
    return torch.empty(size, dtype=x.dtype, memory_format=torch.channels_last)


def _weights(convolutions: Sequence[tuple[Tensor, Tensor, int]]) -> tuple[list[Tensor], list[Tensor], Any, Any]:
    numbers = ctypes.c_int * len(convolutions)
    kernels = numbers(*(depth.shape[2] for depth, _, _ in convolutions))
    dilations = numbers(*(dilation for _, _, dilation in convolutions))
    return [depth for depth, _, _ in convolutions], [point for _, point, _ in convolutions], kernels, dilations


def _call(name: str, x: Tensor, stride: int, *arguments: Any) -> None:
    made = library()
    assert made is not None
    channels = x.shape[1]
    shape = _Shape(x.shape[0], *x.shape[2:], channels, channels, *out_size(x, stride), stride, torch.get_num_threads())
    getattr(made, name)(int(x.dtype == torch.float64), ctypes.byref(shape), *map(_pointer, arguments))


def _pointer(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, list):
        return (ctypes.c_void_p * len(argument))(*(tensor.data_ptr() for tensor in argument))
    return argument
