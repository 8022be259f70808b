"""MaskConnect (Ahmed and Torresani, 2018): learnt masks say which earlier modules each module reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.core.choices import Subset
from archwright.core.errors import ArchwrightError
from archwright.spaces.opening import Undecided
from archwright.supernets.relaxation import Weights, strongest
from archwright.supernets.relaxations.sampled import straight_through
from archwright.supernets.relaxations.single_level import SingleLevel

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork

FLOOR = 1e-6
"""What a mask of 0 counts in a draw, so that there always are `size` items to draw."""


class Masks(SingleLevel):
    """Of each Subset a mask: for each item a number in [0, 1].

    In each step `size` different items are drawn with probabilities proportional to the numbers; the network computes
    with that binary mask, and the gradient for the binary mask moves the numbers, those of items that were not drawn
    too (straight-through). Masks and weights learn from one backward pass on one batch. In the end the largest numbers
    stay. Other choices are mixtures, as in DARTS, and learn in the same pass.

    Args:
        learning_rate: of plain gradient descent.

    Attributes:
        subsets: the Subsets; `masks` has their numbers in this order, all 0.5 at first.

    Raises:
        ArchwrightError: the space has no Subset.
    """

    def __init__(self, network: OpenNetwork, learning_rate: float) -> None:
        super().__init__(network)
        self.subsets = [choice for choice in network.choices.values() if choice.is_subset]
        if not self.subsets:
            raise ArchwrightError(
                f"MaskConnect learns which of several items a Subset takes, and {network.space!r} declares no Subset"
            )
        self.learning_rate = learning_rate
        self.masks = nn.ParameterList(torch.full((len(choice.options),), 0.5) for choice in self.subsets)

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Gradient descent over the parameters."""
        if self._optimizer is None:
            self._optimizer = torch.optim.SGD(self.parameters(), self.learning_rate)
        return self._optimizer

    def weights(self) -> dict[str, Weights]:
        """Binary masks drawn anew, with gradients for the numbers; of other choices the probabilities."""
        drawn: dict[str, Weights] = {}
        for choice, mask in zip(self.subsets, self.masks, strict=True):
            assert isinstance(choice.choice, Subset)
            chances = mask.detach().nan_to_num(0.0) + FLOOR  # where weights diverged, the loss is what says so
            taken = torch.multinomial(chances, choice.choice.size)
            binary = torch.zeros_like(mask).index_fill(0, taken, 1.0)
            drawn[choice.name] = straight_through(binary, mask)
        return dict(self.probabilities()) | drawn

    def probabilities(self) -> dict[str, Tensor]:
        """The distribution over each choice's candidates; of a Subset, its mask's numbers as shares."""
        masks = {choice.name: mask + FLOOR for choice, mask in zip(self.subsets, self.masks, strict=True)}
        shares = {name: mask / mask.sum() for name, mask in masks.items()}
        return {name: shares.get(name, row) for name, row in super().probabilities().items()}

    def mixture(self) -> dict[str, Weights]:
        """The items that stay, and of other choices the probabilities."""
        return dict(self.probabilities()) | {choice.name: self._staying(choice) for choice in self.subsets}

    def draws(self) -> Iterator[None]:
        """One draw a weight step; what the backward pass leaves for the masks is a step of theirs."""
        yield from super().draws()
        with torch.no_grad():
            for mask in self.masks:
                mask.clamp_(0.0, 1.0)

    def settle(self) -> None:
        """Sets the network to the items that stay."""
        with torch.no_grad():
            self.network.mix(self.mixture())

    def strengths(self, choice: Undecided, probabilities: dict[str, Tensor]) -> list[float]:
        """How strong each item of a Subset is: its number in the mask."""
        numbers: list[float] = self.masks[self.subsets.index(choice)].tolist()
        return numbers

    def _staying(self, choice: Undecided) -> dict[int, float]:
        assert isinstance(choice.choice, Subset)
        combination = choice.choice.combinations[strongest(choice, self.strengths(choice, {}))]
        return dict.fromkeys(combination, 1.0)
