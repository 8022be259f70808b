"""DAS: Differentiable Neural Network Architecture Search (Shin, Packer and Song, 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class DAS:
    """Sizes of layers (kernels, filters, units) as continuous parameters, moved by gradients of the validation loss.

    Made for spaces of elastic layers, such as `spaces.elastic_chain`: a size between two options computes with both,
    weighed by how near they are. The paper's own numbers could not be checked.

    Attributes:
        learning_rate: of Adam on the sizes, in places of the options a step; ours.
        penalty: a cost of the open ops, beside the loss; sizes have none.
    """

    learning_rate: float = 0.02
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.sizes import Sizes

        return Sizes(network, Adam(self.learning_rate, weight_decay=0.0), self.penalty)
