"""ProxylessNAS (Cai et al., 2019): binary gates, two paths at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from archwright.supernets.relaxation import Step, Weights
from archwright.supernets.relaxations.sampled import Sampled, gumbel, largest, read, size_of, straight_through

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class BinaryGates(Sampled):
    """Of each choice two candidates are drawn, and one of the two is open, as if the others were not there.

    Both are computed: the gates' gradients then give dL/d alpha_i = sum_j dL/dg_j p_j (delta_ij - p_i), equation 4, of
    the two alone. Afterwards both logits are shifted so that the others' probabilities stay (section 3.2.1).
    Of a Subset of several, of which the paper has none, as many are drawn as it takes. All of them are open, with the
    gradients of equation 4 for the whole row (those of closed gates are left out), and nothing is shifted.

    Args:
        every: steps of the weights for one of the architecture.
        settings: as for `Relaxation`.
    """

    def __init__(self, network: OpenNetwork, every: int, **settings: Any) -> None:
        super().__init__(network, **settings)
        self.every = every
        self._pairs: dict[str, Tensor] = {}

    def weights(self) -> dict[str, Weights]:
        """Two candidates of each choice, without replacement: weight 1 for the open one, 0 for the other; of a Subset
        of several its items with weight 1."""
        drawn: dict[str, Tensor] = {}
        gates: dict[str, Tensor] = {}
        sizes = {name: size_of(self.network.choices[name]) for name in self.names}
        for name, row in zip(self.names, self.logits, strict=True):
            if sizes[name] > 1:
                drawn[name] = largest(self.network.choices[name], row.detach() + gumbel(row))
                gates[name] = torch.softmax(row, 0)[drawn[name]]
            else:
                drawn[name] = self._pairs[name] = self._pair(row)
                gates[name] = torch.softmax(row[drawn[name]], 0)
        options = dict(zip(drawn, read(list(drawn.values())), strict=True))
        return {
            name: {
                option: straight_through(float(place < sizes[name]), shares[place])
                for place, option in enumerate(options[name])
            }
            for name, shares in gates.items()
        }

    def _pair(self, row: Tensor) -> Tensor:
        """Two candidates, the open one first."""
        pair = (row.detach() + gumbel(row)).topk(min(2, len(row))).indices
        return pair[(row.detach()[pair] + gumbel(row[pair])).argsort(descending=True)]

    def cost(self) -> Tensor | float:
        """The penalty's expectation, as if the two candidates were all."""
        if self.penalty is None:
            return 0.0
        shares = self.probabilities()
        for name, row in zip(self.names, self.logits, strict=True):
            if name in self._pairs:
                pair = self._pairs[name]
                shares[name] = torch.zeros_like(row).scatter(0, pair, torch.softmax(row[pair], 0))
        return self.penalty(shares)

    def learn(self, step: Step) -> None:
        """A step of the architecture after every so many of the weights."""
        steps = self.kept["steps"] = self.kept.get("steps", 0) + 1
        if self._rests or steps % self.every:
            return
        before = [row.detach().clone() for row in self.logits]
        super().learn(step)
        with torch.no_grad():
            for name, row, old in zip(self.names, self.logits, before, strict=True):
                if name not in self._pairs:
                    continue
                pair = self._pairs[name]
                row[pair] -= torch.logsumexp(row[pair], 0) - torch.logsumexp(old[pair], 0)
