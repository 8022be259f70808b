"""SMASH (Brock, Lim, Ritchie and Weston, 2018): weights from the architecture's encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.core.rng import seed_for
from archwright.spaces.encodings import OneHot
from archwright.supernets.hypernetworks.decoder import Decoder, unit_norm
from archwright.supernets.hypernetworks.writer import Writer

if TYPE_CHECKING:
    from archwright.core.architecture import Architecture
    from archwright.core.signature import Signature
    from archwright.spaces.space import Space


@dataclass(frozen=True)
class Smash:
    """One hypernetwork for the space, conditioned on the decisions as a one-hot vector c and on the weights' place.

    The paper's c is a tensor laid out like the memory banks of its own space, and its hypernetwork a DenseNet over it.
    For any space, c is `spaces.encodings.OneHot`, and a place is the parameter's name, which gets a fixed random code,
    as the banks do in the paper (z ~ N(0, I)). Leaky ReLU with slope 0.02 and weights of unit norm are the paper's.

    Attributes:
        hidden: units of each layer.
        layers: hidden layers.
        code: length of a place's code.
        channels, kernel: of the tile that weights are cut from, see `Decoder`; the paper's are 64 and 7.
    """

    hidden: int = 32
    layers: int = 2
    code: int = 32
    channels: int = 64
    kernel: int = 7

    def over(self, space: Space, signature: Signature) -> EncodingWriter:
        """The hypernetwork for a space."""
        return EncodingWriter(space, signature, self)


class EncodingWriter(Writer):
    """A perceptron of the encoding and a place's code."""

    def __init__(self, space: Space, signature: Signature, given: Smash) -> None:
        super().__init__(space, signature, Decoder(given.hidden, given.channels, given.kernel, unit_norm))
        self.encode = OneHot(space)
        layers: list[nn.Module] = []
        width = self.encode.width + given.code
        for _ in range(given.layers):
            layers += [nn.Linear(width, given.hidden), nn.LeakyReLU(0.02)]
            width = given.hidden
        self.perceptron = nn.Sequential(*layers, nn.Linear(width, given.hidden))
        self.code = lru_cache(None)(lambda name: _code(name, given.code))

    def vectors(self, architecture: Architecture, network: nn.Module, names: Sequence[str]) -> Tensor:
        """(names, hidden)."""
        device = self.decoder.tile.device
        encoding = torch.as_tensor(self.encode(architecture), dtype=torch.float32).expand(len(names), -1)
        codes = torch.stack([self.code(name) for name in names])
        made: Tensor = self.perceptron(torch.cat([encoding, codes], 1).to(device))
        return made


def _code(name: str, length: int) -> Tensor:
    return torch.randn(length, generator=torch.Generator().manual_seed(seed_for("place", name)))
