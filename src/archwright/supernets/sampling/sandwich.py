"""The sandwich rule with in-place distillation (Yu and Huang, 2019; BigNAS: Yu et al., 2020)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from archwright.core.choices import Integer
from archwright.core.errors import ArchwrightError
from archwright.spaces.operators import sample
from archwright.supernets.relaxation import Sampler
from archwright.supernets.sampling.sampling import answers, generator

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.core.architecture import Architecture
    from archwright.spaces.opening import Undecided
    from archwright.supernets.open_network import OpenNetwork


class SandwichPaths(Sampler):
    """Each step trains the largest architecture, the smallest and some random ones; the largest teaches the others.

    Largest and smallest are so in every size: an Integer, or a Choice of numbers (true is larger than false). A choice
    without an order, such as one of ops, is drawn at random in both.
    """

    def __init__(self, network: OpenNetwork, random: int) -> None:
        super().__init__(network)
        self._random = random
        self._taught: Tensor | None = None  # the largest architecture's outputs for this batch

    def draws(self) -> Iterator[None]:
        """The largest, the smallest, and the random ones; their gradients are summed."""
        rng = generator()
        extremes = [self._extreme(pick, rng) for pick in (max, min)]
        others = [sample(self.network.space, rng) for _ in range(self._random)]
        self._taught = None
        for architecture in (*extremes, *others):
            self.network.decide(architecture)
            yield
        self._taught = None

    def loss(self, outputs: Tensor, targets: Tensor, plain: Tensor) -> Tensor:
        """Of the largest the task's loss, of others only how far they are from its outputs: cross-entropy with its
        probabilities, or where targets are numbers the mean squared error."""
        if self._taught is None:
            self._taught = outputs.detach()
            return plain
        if targets.is_floating_point():
            return functional.mse_loss(outputs, self._taught)
        return functional.cross_entropy(outputs, torch.softmax(self._taught, 1))

    def _extreme(self, pick: Callable[..., Any], rng: Generator) -> Architecture:
        def decide(choice: Undecided) -> int:
            sizes = choice.choice.options if not isinstance(choice.choice, Integer) else choice.options
            if all(isinstance(size, int | float) for size in sizes):
                return int(pick(zip(sizes, answers(choice), strict=True))[1])
            return int(rng.choice(answers(choice)))

        return self.network.architecture(decide)


@dataclass(frozen=True)
class Sandwich:
    """For elastic spaces: what lies between the largest and the smallest architecture becomes as good as they allow.

    Attributes:
        random: architectures a step beside the two; 2 in both papers.
    """

    random: int = 2

    def __post_init__(self) -> None:
        if self.random < 0:
            raise ArchwrightError(f"Sandwich can't train {self.random} random architectures a step")

    def over(self, network: OpenNetwork) -> SandwichPaths:
        """The sampler that steers `network`."""
        return SandwichPaths(network, self.random)
