"""What a fixed way of sampling is: a value that makes the sampler of an open network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from archwright.core.choices import Integer

if TYPE_CHECKING:
    from archwright.spaces.opening import Undecided
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Sampler


class Sampling(Protocol):
    """Names a paper's way to train shared weights."""

    def over(self, network: OpenNetwork) -> Sampler:
        """The sampler that steers `network`."""
        ...


def generator() -> np.random.Generator:
    """For drawing architectures: seeded by torch's global randomness, which the training loop seeds each epoch."""
    return np.random.Generator(np.random.Philox(int(torch.randint(2**62, ()))))


def answers(choice: Undecided) -> range:
    """The decisions that an architecture may hold for it."""
    declared = choice.choice
    return range(declared.low, declared.high + 1) if isinstance(declared, Integer) else range(len(declared.options))
