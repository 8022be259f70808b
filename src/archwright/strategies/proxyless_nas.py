"""ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware (Cai et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class ProxylessNAS:
    """Binary gates: weights learn on one path, the architecture on two at a time, and on what it is to cost.

    With `penalty=ExpectedCost("latency_ms")` the expected latency is added to the validation loss (equation 7). The
    defaults are those of the authors' code.

    Attributes:
        warmup: share of the epochs in which only the weights learn: 40 of 160.
        every: steps of the weights for one of the architecture.
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.999)
    weight_decay: float = 0.0
    warmup: float = 0.25
    every: int = 5
    penalty: ExpectedCost | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ArchwrightError(f"a warm-up is a share of the epochs, at least 0 and less than 1, not {self.warmup}")
        if self.every < 1:
            raise ArchwrightError(f"the architecture learns every 1 steps or more, not every {self.every}")

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.bilevel import first_order
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.proxyless import BinaryGates

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        return BinaryGates(
            network, self.every, gradient=first_order, adam=adam, warmup=self.warmup, penalty=self.penalty
        )
