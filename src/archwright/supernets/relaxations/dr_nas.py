"""DrNAS (Chen et al., 2021): weights over candidates are drawn from a Dirichlet distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn import functional

from archwright.supernets.relaxation import Relaxation, Weights

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork

LEAST = 1e-3
"""Concentrations stay above: elu + 1 rounds to 0, where there is no distribution."""


class DirichletWeights(Relaxation):
    """Of each choice Dirichlet(elu(logits) + 1), at first the uniform one; gradients are pathwise.

    Args:
        anchor: weight of the divergence from the uniform Dirichlet(1, ..., 1), which keeps the draws away from the
            corners and so keeps exploring; lambda in the paper.
        settings: as for `Relaxation`.
    """

    def __init__(self, network: OpenNetwork, anchor: float = 0.0, **settings: Any) -> None:
        super().__init__(network, **settings)
        self.anchor = anchor

    def distributions(self) -> dict[str, Dirichlet]:
        """Of the weights over each choice's candidates; not validated, for which a GPU would be waited for."""
        return {
            name: Dirichlet((functional.elu(row) + 1).clamp_min(LEAST), validate_args=False)
            for name, row in zip(self.names, self.logits, strict=True)
        }

    def probabilities(self) -> dict[str, Tensor]:
        """The means of the distributions."""
        return {name: distribution.mean for name, distribution in self.distributions().items()}

    def weights(self) -> dict[str, Weights]:
        """A draw from each distribution."""
        return {name: distribution.rsample() for name, distribution in self.distributions().items()}

    def cost(self) -> Tensor | float:
        """Adds `anchor` times the sum of the divergences KL(distribution || uniform Dirichlet)."""
        if not self.anchor:
            return super().cost()
        divergences = [
            kl_divergence(distribution, Dirichlet(torch.ones_like(distribution.concentration), validate_args=False))
            for distribution in self.distributions().values()
        ]
        return super().cost() + self.anchor * torch.stack(divergences).sum()

    def settle(self) -> None:
        """Sets the network to the means."""
        with torch.no_grad():
            self.network.mix(self.mixture())
