"""GDAS (Dong and Yang, 2019): hard Gumbel-softmax samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from archwright.supernets.relaxation import Weights
from archwright.supernets.relaxations.sampled import (
    Sampled,
    annealed,
    gumbel,
    largest,
    read,
    softly_largest,
    straight_through,
)

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class HardGumbel(Sampled):
    """One candidate of each choice is computed: the largest of h = softmax((log p + Gumbel) / temperature), equation 3.

    Its weight is 1, with the gradient of h (equation 5), by which all logits of the choice learn. Of a Subset as many
    are computed as it takes, each with weight 1, and h is the sum of as many softmaxes (`sampled.softly_largest`).

    Args:
        temperatures: in the first and in the last epoch, linear between.
        settings: as for `Relaxation`.
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
        """Of each choice what an architecture takes, with weight 1."""
        choices = [self.network.choices[name] for name in self.names]
        noisy = [torch.log_softmax(row, 0) + gumbel(row) for row in self.logits]
        soft = [softly_largest(*each, self.temperature) for each in zip(choices, noisy, strict=True)]
        drawn = read([largest(*each) for each in zip(choices, noisy, strict=True)])
        return {
            name: {option: straight_through(1.0, row[option]) for option in options}
            for name, row, options in zip(self.names, soft, drawn, strict=True)
        }
