"""GDAS: Searching for a Robust Neural Architecture in Four GPU Hours (Dong and Yang, 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class GDAS:
    """One candidate of each choice is drawn by a hard Gumbel-softmax and computed; gradients are straight-through.

    Of a Subset of several, of which the paper has none, as many are drawn as it takes.

    The defaults are those of the authors' code (AutoDL-Projects): a first-order bilevel search with DARTS' Adam.

    Attributes:
        temperatures: of the Gumbel-softmax in the first and in the last epoch, linear between.
        penalty: added to the validation loss; none in the paper.
    """

    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    temperatures: tuple[float, float] = (10.0, 0.1)
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import first_order
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.gdas import HardGumbel

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        return HardGumbel(network, self.temperatures, gradient=first_order, adam=adam, penalty=self.penalty)
