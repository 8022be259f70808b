"""SNAS (Xie et al., 2019): samples of the concrete distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.supernets.relaxation import Weights
from archwright.supernets.relaxations.sampled import annealed, gumbel, softly_largest
from archwright.supernets.relaxations.single_level import SingleLevel

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class Concrete(SingleLevel):
    """All candidates take part, with weights Z = softmax((log alpha + Gumbel) / temperature) (equation 4).

    Of a Subset Z is the sum of as many softmaxes as it takes items (`sampled.softly_largest`), so that at a low
    temperature these take part as in the child.

    Args:
        temperatures: in the first and in the last epoch, linear between.
        settings: as for `Relaxation`, less the gradient.
    """

    def __init__(self, network: OpenNetwork, temperatures: tuple[float, float], **settings: Any) -> None:
        super().__init__(network, **settings)
        self.temperatures = temperatures
        self.temperature = temperatures[0]

    def begin(self, epoch: int, epochs: int) -> None:
        """Cools down."""
        super().begin(epoch, epochs)
        self.temperature = annealed(*self.temperatures, epoch, epochs)

    def weights(self) -> dict[str, Weights]:
        """A row of Z for each choice."""
        return {
            name: softly_largest(self.network.choices[name], row + gumbel(row), self.temperature)
            for name, row in zip(self.names, self.logits, strict=True)
        }

    def settle(self) -> None:
        """The network is the child: the likeliest candidates."""
        self.network.decide(self.architecture())
