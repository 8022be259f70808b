"""Single Path One-Shot (Guo et al., 2020): one architecture a step, drawn uniformly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.spaces.operators import sample
from archwright.supernets.relaxation import Sampler
from archwright.supernets.sampling.sampling import generator

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class UniformPath(Sampler):
    """Equation 7 of the paper with a uniform prior: the expectation over architectures, one drawn a step."""

    def draws(self) -> Iterator[None]:
        """One random architecture."""
        self.network.decide(sample(self.network.space, generator()))
        yield


@dataclass(frozen=True)
class Uniform:
    """One random architecture a step: SPOS, and random search with weight sharing (Li and Talwalkar, 2019)."""

    def over(self, network: OpenNetwork) -> UniformPath:
        """The sampler that steers `network`."""
        return UniformPath(network)
