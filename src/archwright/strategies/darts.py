"""DARTS: Differentiable Architecture Search (Liu, Simonyan and Yang, 2019b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Gradient, Relaxation


@dataclass(frozen=True)
class DARTS:
    """Every candidate takes part with its softmax weight (equation 2), learnt by gradient on the validation loss.

    First order: the gradient at the present weights (xi = 0 in equation 6). The defaults are the paper's, in its
    appendix A.1.

    Attributes:
        penalty: added to the validation loss; none in the paper.
    """

    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import first_order

        return self._relaxed(network, first_order)

    def _relaxed(self, network: OpenNetwork, gradient: Gradient) -> Relaxation:
        from archwright.supernets.relaxation import Adam, Relaxation

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        return Relaxation(network, gradient, adam, penalty=self.penalty)


@dataclass(frozen=True)
class UnrolledDARTS(DARTS):
    """DARTS of second order: the validation loss after one more step of the weights (equations 6 to 8)."""

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import unrolled

        return self._relaxed(network, unrolled)
