"""PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search (Xu et al., 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class PCDARTS:
    """DARTS of first order on a part of the channels, with weights over edges too. The defaults are those for CIFAR-10.

    A quarter of the channels is a quarter of the memory, so batches may be larger: the paper's have 256 examples, at a
    learning rate of the weights of 0.1.

    Attributes:
        parts: one in so many channels goes through the candidates, the others pass by (K in the paper).
        warmup: share of the epochs, the first ones, in which only the weights learn: 15 of 50.
        learning_rate: of Adam, which learns the weights over candidates and edges.
        penalty: added to the validation loss in an architecture step, such as an expected latency; none in the paper.
    """

    parts: int = 4
    warmup: float = 0.3
    learning_rate: float = 6e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import first_order
        from archwright.supernets.partial import partial_channels
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.pc_darts import NormalizedEdges

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        opened = partial_channels(network, self.parts)
        return NormalizedEdges(opened, gradient=first_order, adam=adam, warmup=self.warmup, penalty=self.penalty)
