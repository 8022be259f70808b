"""DrNAS: Dirichlet Neural Architecture Search (Chen et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class DrNAS:
    """Weights over candidates are drawn from Dirichlet distributions, whose concentrations learn by gradient.

    This is the search in one stage, as on NAS-Bench-201. In the DARTS space the paper has two of 25 epochs each: the
    first with a sixth of the channels (`parts=6`), after it half of the operations go and the weights are widened to a
    larger part of the channels. That second stage is not here.

    What keeps the distributions near the uniform one is the distance of the logits from 0, by Adam's weight decay, as
    the authors' code does by default; or the divergence between the distributions, by `anchor`.

    Attributes:
        anchor: weight of the divergence KL(distribution || uniform one); whoever sets it sets `weight_decay` to 0.
        parts: one in so many channels goes through the candidates; 1 is all of them.
        warmup: share of the epochs, the first ones, in which only the weights learn. In the authors' code none on
            NAS-Bench-201, and 10 of the 25 of each stage in the DARTS space.
        learning_rate: of Adam; the DARTS space's. On NAS-Bench-201 it is 3e-4.
        penalty: added to the validation loss in an architecture step, such as an expected latency; none in the paper.
    """

    anchor: float = 0.0
    parts: int = 1
    warmup: float = 0.0
    learning_rate: float = 6e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import first_order
        from archwright.supernets.partial import partial_channels
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.dr_nas import DirichletWeights

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        opened = partial_channels(network, self.parts)
        return DirichletWeights(
            opened, self.anchor, gradient=first_order, adam=adam, warmup=self.warmup, penalty=self.penalty
        )
