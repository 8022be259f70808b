"""MaskConnect: Connectivity Learning by Gradient Descent (Ahmed and Torresani, 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class MaskConnect:
    """Which earlier modules a module reads: a space's Subsets, learnt together with the weights on the training loss.

    The fan-in K of the paper is the size of the space's Subsets. Nothing is learnt from the validation split.

    Attributes:
        learning_rate: of gradient descent on the masks; constant, and ours.
    """

    learning_rate: float = 0.1

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.relaxations.masks import Masks

        return Masks(network, self.learning_rate)
