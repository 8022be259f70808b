"""PC-DARTS (Xu et al., 2020): edges have weights of their own. Partial channels are in `supernets.partial`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.spaces.opening import Undecided
from archwright.supernets.relaxation import Relaxation, Weights

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class NormalizedEdges(Relaxation):
    """The softmax of DARTS over candidates, times a softmax over the items of each Subset (section 3.3).

    Which candidates are strong changes from batch to batch while few channels see them; the weights of the edges, which
    do not depend on the channels that were picked, make up for it. An item is as strong as its own weight times that of
    its strongest candidate.

    Args:
        spread: standard deviation of the initial logits.
        settings: as for `Relaxation`.

    Attributes:
        subsets: the Subsets' names; `edges` has their rows of logits, one for each item, in this order.
    """

    def __init__(self, network: OpenNetwork, spread: float = 1e-3, **settings: Any) -> None:
        super().__init__(network, spread=spread, **settings)
        subsets = [choice for choice in network.choices.values() if not choice.is_weighed]
        self.subsets = [choice.name for choice in subsets]
        self.edges = nn.ParameterList(spread * torch.randn(len(choice.options)) for choice in subsets)

    def mixture(self) -> dict[str, Weights]:
        """Weights over the candidates where all of them take part, and over the items of each Subset."""
        return super().mixture() | self.shares()

    def shares(self) -> dict[str, Tensor]:
        """The weights of each Subset's items: beta in the paper."""
        return {name: torch.softmax(row, 0) for name, row in zip(self.subsets, self.edges, strict=True)}

    def strengths(self, choice: Undecided, probabilities: dict[str, Tensor]) -> list[float]:
        """How strong each item of a Subset is."""
        if choice.is_weighed:
            return super().strengths(choice, probabilities)
        shares = self.shares()[choice.name].tolist()
        return [share * own for share, own in zip(shares, super().strengths(choice, probabilities), strict=True)]
