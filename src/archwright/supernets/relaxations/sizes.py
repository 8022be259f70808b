"""Sizes as continuous parameters (Shin, Packer and Song, 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.supernets.bilevel import first_order
from archwright.supernets.relaxation import Adam, Penalty, Relaxation, Step

if TYPE_CHECKING:
    from archwright.spaces.opening import Undecided
    from archwright.supernets.open_network import OpenNetwork


class Sizes(Relaxation):
    """A point between the options of each choice of sizes, which weighs the two that it lies between.

    At place s of the options in their order, option k <= s weighs 1 - (s - k) and the next one s - k: linear
    interpolation, through which gradients reach s at any place, at an option itself those towards the next one. All
    points begin in the middle and stay within the options; in the end the nearest one is taken.
    Choices of anything else are mixtures, as in DARTS.
    """

    def __init__(self, network: OpenNetwork, adam: Adam, penalty: Penalty | None = None) -> None:
        super().__init__(network, first_order, adam, penalty=penalty)
        self.points = [place for place, name in enumerate(self.names) if _is_size(network.choices[name])]
        for place in self.points:
            middle = (len(network.choices[self.names[place]].options) - 1) / 2
            self.logits[place] = nn.Parameter(torch.full((1,), middle))

    def probabilities(self) -> dict[str, Tensor]:
        """The weights of each choice's options."""
        shares = super().probabilities()
        for place in self.points:
            name, point = self.names[place], self.logits[place]
            options = torch.arange(len(self.network.choices[name].options), device=point.device)
            below = point.detach().floor().clamp(0, max(len(options) - 2, 0))
            shares[name] = torch.where(options == below, 1.0 - (point - below), 0.0)
            shares[name] = torch.where(options == below + 1, point - below, shares[name])
        return shares

    def learn(self, step: Step) -> None:
        """One step of the points and the other choices' logits, by the validation loss."""
        super().learn(step)
        with torch.no_grad():
            for place in self.points:
                self.logits[place].clamp_(0.0, len(self.network.choices[self.names[place]].options) - 1.0)


def _is_size(choice: Undecided) -> bool:
    """Whether layers take their sizes from it: numbers in ascending order, of which none may be left out as a whole."""
    numbers = [option for option in choice.options if isinstance(option, int | float) and not isinstance(option, bool)]
    return choice.is_size and not choice.optional and len(numbers) == len(choice.options) and sorted(numbers) == numbers
