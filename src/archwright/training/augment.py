"""Augmentation on the whole batch at once, on the device where it lies."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirrors each image left-right with probability 1/2. images: (n, channels, height, width)."""
    flipped = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(_beside(images, flipped)[:, None, None, None], images.flip(3), images)


def random_crop(images: Tensor, padding: int, generator: Generator) -> Tensor:
    """Shifts each image by up to `padding` pixels each way, zeros moving in. images: (n, channels, height, width)."""
    count, _, height, width = images.shape
    padded = functional.pad(images, (padding,) * 4)
    top, left = _beside(images, torch.randint(0, 2 * padding + 1, (2, count), generator=generator))
    rows = top[:, None] + torch.arange(height, device=images.device)  # (n, height)
    columns = left[:, None] + torch.arange(width, device=images.device)  # (n, width)
    every = torch.arange(count, device=images.device)
    picked = padded[every[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (n, height, width, channels)
    return picked.permute(0, 3, 1, 2)


def cutout(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Sets a square of each image to zero, the mean of standardised inputs (DeVries and Taylor, 2017).

    The square's centre lies anywhere in the image, so part of it may fall outside.
    images: (n, channels, height, width).
    """
    count, _, height, width = images.shape
    centre = _beside(images, torch.rand(2, count, generator=generator))
    rows = torch.arange(height, device=images.device) - (centre[0] * height).floor()[:, None] + side // 2
    columns = torch.arange(width, device=images.device) - (centre[1] * width).floor()[:, None] + side // 2
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return images.masked_fill(inside[:, None], 0.0)


def _beside(images: Tensor, drawn: Tensor) -> Tensor:
    """What was drawn on the CPU, where the images lie. To a GPU it goes without waiting for the work that is queued."""
    if images.device.type != "cuda":
        return drawn.to(images.device)
    return drawn.pin_memory().to(images.device, non_blocking=True)
