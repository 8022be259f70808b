"""Architecture and weights from one backward pass on one batch (as SNAS, Xie et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor

from archwright.supernets.bilevel import single_level
from archwright.supernets.relaxation import Relaxation, Step

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork


class SingleLevel(Relaxation):
    """A relaxation that learns from the training loss of the weights' own step, for the same draw.

    The gradient is that of `bilevel.single_level`, without a forward and a backward pass of its own.
    """

    def __init__(self, network: OpenNetwork, **settings: Any) -> None:
        super().__init__(network, single_level, **settings)

    def learn(self, step: Step) -> None:
        """Nothing: it learns in `draws`."""

    def draws(self) -> Iterator[None]:
        """One draw, through which the loss's gradient reaches the relaxation as well; then the relaxation's step."""
        self.optimizer.zero_grad()
        self.apply_weights()
        yield
        cost = self.cost()
        if isinstance(cost, Tensor):
            cost.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
