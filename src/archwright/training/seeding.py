"""Randomness that stays inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from archwright.core.rng import seed_for


@contextmanager
def seeded(*parts: object, device: torch.device | None = None) -> Iterator[None]:
    """Inside, torch's global randomness (initial weights, dropout) is seeded by `parts`; afterwards it is as before."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed_for(*parts))  # the CPU's; torch.manual_seed would touch every GPU's
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed_for(*parts))
        yield
