"""What relaxations that draw at random have in common."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from archwright.supernets.relaxation import Relaxation


class Sampled(Relaxation):
    """A relaxation whose weights learn on one architecture at a time, drawn from the distribution.

    After an epoch its score is that of the likeliest architecture.
    """

    def path(self) -> dict[str, int]:
        """A candidate of each choice, drawn by the Gumbel-max trick; the number after the last is taking no part."""
        drawn = torch.stack([(row + gumbel(row)).argmax() for row in self.logits]).tolist()
        return dict(zip(self.names, drawn, strict=True))

    def draws(self) -> Iterator[None]:
        """One path, at what its own network costs."""
        with torch.no_grad():
            self.network.open()
            self.network.mix({name: {option: 1.0} for name, option in self.path().items()})
        yield

    def settle(self) -> None:
        """The network is the architecture that it stands for."""
        self.network.decide(self.architecture())


def gumbel(like: Tensor) -> Tensor:
    """Gumbel noise of that shape: the place of the largest logit + noise has the softmax distribution."""
    return -torch.empty_like(like).exponential_().log()


def straight_through(hard: Tensor | float, soft: Tensor) -> Tensor:
    """The value of `hard`, exactly, with the gradient of `soft` (Bengio et al., 2013)."""
    return (soft - soft.detach()) + hard


def annealed(start: float, end: float, epoch: int, epochs: int) -> float:
    """From `start` in the first epoch to `end` in the last, in equal steps."""
    return start + (end - start) * epoch / max(1, epochs - 1)
