"""In which order the numbers of a batch of images lie in memory."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from torch.nn import functional

Layout = torch.memory_format


@cache
def fastest_layout(device: torch.device) -> Layout:
    """Channels-last, in which convolutions are fastest on CPUs and GPUs alike, where its gradients are right.

    On GPUs, PyTorch had for years a padded average pooling whose gradient was silently wrong in channels-last
    (pytorch/pytorch#188344), and such pools are candidates of most cell spaces. So it is tried, once for each device.
    """
    plain, last = (_slope(device, layout) for layout in (torch.contiguous_format, torch.channels_last))
    return torch.channels_last if torch.allclose(plain, last) else torch.contiguous_format


def _slope(device: torch.device, layout: Layout) -> torch.Tensor:
    """The gradient of a padded average pooling."""
    with torch.inference_mode(False), torch.enable_grad():
        numbers = torch.ones(1, 2, 4, 4, device=device).contiguous(memory_format=layout).requires_grad_()
        pooled = functional.avg_pool2d(numbers, 3, 1, padding=1, count_include_pad=False)
        (slope,) = torch.autograd.grad(pooled.sum(), numbers)
    return slope


def laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """The same network, its kernels in the fastest layout of the device."""
    return network.to(memory_format=fastest_layout(device))  # type: ignore[no-any-return, call-overload]


def images_laid_out(inputs: torch.Tensor) -> torch.Tensor:
    """Images, (n, channels, height, width), in the fastest layout where they lie; other inputs as they are."""
    if inputs.dim() != 4:
        return inputs
    layout = fastest_layout(inputs.device)
    laid = inputs.contiguous(memory_format=layout)
    # Images of one channel are contiguous in either layout, so they come back as they were; but convolutions go by the
    # strides, which after a crop are those of channels-last. A view has the strides of its shape.
    return laid.view(laid.shape) if layout is torch.contiguous_format else laid
