"""FairNAS (Chu et al., 2021): in each step every candidate is trained equally often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.supernets.relaxation import Sampler
from archwright.supernets.sampling.sampling import answers, generator

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.opening import Undecided
    from archwright.supernets.open_network import OpenNetwork


class FairPaths(Sampler):
    """Strict fairness: a step of the weights is for K paths, which take a choice's K candidates in a random order.

    K is the most options of a choice (a Subset's combinations aside, which may be hundreds). A choice with other than K
    options deals its permutations on from step to step, within an epoch, so that its candidates are never more than one
    path apart. What the space excludes is trained too: to leave it out would be unfair to its candidates.
    """

    def __init__(self, network: OpenNetwork) -> None:
        super().__init__(network)
        self._dealt: dict[str, list[int]] = {}  # what is left of a permutation, by choice
        self._paths = max((len(each.options) for each in network.choices.values() if not each.is_subset), default=1)

    def begin(self, epoch: int, epochs: int) -> None:
        """New permutations, so that an epoch needs to know nothing of those before."""
        self._dealt.clear()

    def draws(self) -> Iterator[None]:
        """The K paths of algorithm 1; their gradients are summed, and the weights then take one step."""
        rng = generator()
        for _ in range(self._paths):
            self.network.decide(self.network.architecture(lambda choice: self._deal(choice, rng)))
            yield

    def _deal(self, choice: Undecided, rng: Generator) -> int:
        left = self._dealt.setdefault(choice.name, [])
        if not left:
            left += rng.permutation(answers(choice)).tolist()
        return left.pop()


@dataclass(frozen=True)
class FairNAS:
    """All candidates of a choice once a step, in random order, on paths of their own."""

    def over(self, network: OpenNetwork) -> FairPaths:
        """The sampler that steers `network`."""
        return FairPaths(network)
