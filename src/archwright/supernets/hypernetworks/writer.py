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
        self._centres = lru_cache(REMEMBERED)(self._centred)

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
        wanted = _learnt(network)
        shapes = [parameter.shape for parameter in wanted.values()]
        with torch.autocast(self.decoder.tile.device.type, enabled=False):
            vectors = self.vectors(architecture, network, list(wanted))
            written = self.decoder(vectors, shapes, self._centres(architecture))
        return dict(zip(wanted, written, strict=True))

    @torch.no_grad()
    def standalone(self, architecture: Architecture) -> nn.Module:
        """An architecture's own network, with copies of the weights written for it."""
        network = copy.deepcopy(self._built(architecture))
        network.load_state_dict(self.weights(architecture), strict=False)  # less what it does not write
        return network.train(self.training)

    def _build(self, architecture: Architecture) -> nn.Module:
        """The architecture's network; of its own initial weights only the `_centre` of each is used."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            network = self.space.build(architecture, self.signature)
        return network.to(self.decoder.tile.device)

    def _centred(self, architecture: Architecture) -> list[float]:
        return [_centre(name, parameter) for name, parameter in _learnt(self._built(architecture)).items()]


def _learnt(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


def _centre(name: str, parameter: Tensor) -> float:
    """About which a parameter of at most one dimension is written: the mean of what the network begins with.

    It is 1 for a norm's scale and 1 / n for the weights of a sum of n. A bias is written about 0, whatever its draw.
    """
    is_bias = name.rpartition(".")[2].startswith("bias")
    return 0.0 if is_bias or parameter.dim() > 1 else float(parameter.detach().mean())


class Writing(Protocol):
    """Names a paper's hypernetwork."""

    def over(self, space: Space, signature: Signature) -> Writer:
        """The hypernetwork for a space; its initial weights are drawn from torch's global randomness."""
        ...
