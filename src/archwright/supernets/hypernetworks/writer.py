"""What every hypernetwork does: it writes the weights of an architecture's own network, so that gradients reach it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from archwright.core.architecture import Architecture
from archwright.core.signature import Signature
from archwright.spaces.space import Space
from archwright.supernets.hypernetworks.decoder import Decoder

REMEMBERED = 32
"""How many built networks a hypernetwork remembers."""


class Writer(nn.Module, ABC):
    """A hypernetwork. It computes what the decided architecture's network computes with the weights written for it.

    A hypernetwork of one's own says in `vectors` what a parameter is known by; the decoder makes numbers of that.
    Parameters that ask for no gradient, and buffers, stay as the factory makes them.
    """

    def __init__(self, space: Space, signature: Signature, decoder: Decoder) -> None:
        super().__init__()
        self.space, self.signature, self.decoder = space, signature, decoder
        self.decided: Architecture | None = None
        self._built = lru_cache(REMEMBERED)(self._build)

    @abstractmethod
    def vectors(self, architecture: Architecture, network: nn.Module, names: Sequence[str]) -> Tensor:
        """For each named parameter of an architecture's network a vector: (names, hidden)."""

    def decide(self, architecture: Architecture) -> None:
        """From now on calls compute this architecture."""
        self.decided = architecture

    def forward(self, inputs: Tensor) -> Any:
        """What the decided architecture's network computes.

        Raises:
            RuntimeError: nothing was decided.
        """
        if self.decided is None:
            raise RuntimeError("no architecture was decided that the hypernetwork should write weights for")
        network = self._built(self.decided).train(self.training)
        return functional_call(network, self.weights(self.decided), (inputs,))

    def weights(self, architecture: Architecture) -> dict[str, Tensor]:
        """The parameters of an architecture's network, by name; gradients reach the hypernetwork through them.

        They are written without mixed precision, as parameters are float32 where they are learnt.
        """
        network = self._built(architecture)
        wanted = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
        shapes = [parameter.shape for parameter in wanted.values()]
        with torch.autocast(self.decoder.tile.device.type, enabled=False):
            vectors = self.vectors(architecture, network, list(wanted))
            written = self.decoder(vectors, shapes, [1.0 if name.endswith("weight") else 0.0 for name in wanted])
        return dict(zip(wanted, written, strict=True))

    @torch.no_grad()
    def standalone(self, architecture: Architecture) -> nn.Module:
        """An architecture's own network, with copies of the weights written for it."""
        network = copy.deepcopy(self._built(architecture))
        network.load_state_dict(self.weights(architecture), strict=False)  # less what it does not write
        return network.train(self.training)

    def _build(self, architecture: Architecture) -> nn.Module:
        """The architecture's network; its own initial weights are never used."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = self.space.build(architecture, self.signature)
        return network.to(self.decoder.tile.device)


class Writing(Protocol):
    """Names a paper's hypernetwork."""

    def over(self, space: Space, signature: Signature) -> Writer:
        """The hypernetwork for a space; its initial weights are drawn from torch's global randomness."""
        ...
