"""A cost that gradients reach, beside the loss (Cai et al., 2019, section 3.3; Xie et al., 2019, section 2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archwright.core.errors import ArchwrightError, one_of

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.objectives.costs import Cost
    from archwright.supernets.open_network import OpenNetwork


COSTS = ("flops", "latency_ms", "parameters")
"""What can be named."""


@dataclass(frozen=True)
class ExpectedCost:
    """weight * E[cost of the open ops] / reference, added to what a relaxation learns from.

    Attributes:
        cost: "flops", "parameters" or "latency_ms" (a table of the ops, measured when the search begins), or a cost
            with settings, such as `Latency("cuda", batch_size=8)` of `archwright.objectives.costs`.
        weight: 0.1 in ProxylessNAS' code.
        reference: what counts as 1, in the cost's unit; if None, the expectation under equal probabilities.
    """

    cost: Any = "flops"
    weight: float = 0.1
    reference: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.cost, str) and self.cost not in COSTS:
            raise ArchwrightError(one_of("cost", self.cost, COSTS))

    def over(self, network: OpenNetwork) -> Callable[[Mapping[str, Tensor]], Tensor]:
        """The penalty as a function of the probabilities of each choice's candidates.

        Raises:
            ArchwrightError: there is no such cost, or the space's ops have none of it.
        """
        import torch

        from archwright.supernets.costs import candidate_costs, expected

        costs = candidate_costs(network, self._cost())
        reference = self.reference
        if reference is None:
            choices = [choice for choice in network.choices.values() if choice.is_weighed]
            sizes = {choice.name: len(choice.options) + choice.optional for choice in choices}
            reference = float(expected(costs, {name: torch.full((size,), 1 / size) for name, size in sizes.items()}))
        if not reference > 0:
            raise ArchwrightError(f"a penalty for {self.cost} has nothing to act on: the space's open ops have none")
        return lambda probabilities: self.weight / reference * expected(costs, probabilities)

    def _cost(self) -> Cost:
        from archwright.objectives.costs import Flops, Latency, Parameters

        if not isinstance(self.cost, str):
            cost: Cost = self.cost
            return cost
        return {cost.metric: cost for cost in (Flops, Latency, Parameters)}[self.cost]()
