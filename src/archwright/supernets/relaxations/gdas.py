"""GDAS (Dong and Yang, 2019): hard Gumbel-softmax samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from archwright.supernets.relaxation import Weights
from archwright.supernets.relaxations.sampled import Sampled, annealed, gumbel, straight_through

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class HardGumbel(Sampled):
    """One candidate of each choice is computed: the largest of h = softmax((log p + Gumbel) / temperature), equation 3.

    Its weight is 1, with the gradient of h (equation 5), by which all logits of the choice learn.

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
        """A candidate of each choice, with weight 1."""
        soft = [torch.softmax((torch.log_softmax(row, 0) + gumbel(row)) / self.temperature, 0) for row in self.logits]
        options = torch.stack([row.argmax() for row in soft]).tolist()  # at once: a GPU is waited for
        return {
            name: {option: straight_through(1.0, row[option])}
            for name, row, option in zip(self.names, soft, options, strict=True)
        }
