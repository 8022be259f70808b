"""SNAS: Stochastic Neural Architecture Search (Xie et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.strategies.expected_cost import ExpectedCost

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class SNAS:
    """Candidates take part with a sample of the concrete distribution; architecture and weights learn from one loss.

    The loss is the training loss, plus eta * E[cost] (section 2.4) if there is a `penalty`. Here the expectation is
    exact, over the children that the distribution gives. The defaults are the paper's and its code's (SNAS-Series).

    Attributes:
        temperatures: in the first and in the last epoch, linear between; the paper says that it is annealed, the code
            from 1 to 0.03.
        spread: standard deviation of the initial log alpha.
        penalty: its `weight` is eta.
    """

    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    temperatures: tuple[float, float] = (1.0, 0.03)
    spread: float = 0.01
    penalty: ExpectedCost | None = None

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.relaxation import Adam
        from archwright.supernets.relaxations.snas import Concrete

        adam = Adam(self.learning_rate, self.betas, self.weight_decay)
        return Concrete(network, self.temperatures, adam=adam, spread=self.spread, penalty=self.penalty)
