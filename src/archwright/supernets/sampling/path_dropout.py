"""Path dropout: Understanding and Simplifying One-Shot Architecture Search (Bender et al., 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.supernets.relaxation import Sampler
from archwright.supernets.sampling.sampling import answers, generator

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.supernets.open_network import OpenNetwork


class DroppedPaths(Sampler):
    """All candidates take part and are summed; each is dropped with a probability that rises during the training.

    The paths that meet are an op's candidates, and the items of a Subset. With k of them each is dropped with
    probability rate ** (1 / k), so that all of them would be with probability `rate`; one, drawn uniformly, then stays.
    What can't be summed (a width, a depth) is decided uniformly.
    """

    def __init__(self, network: OpenNetwork, rate: float) -> None:
        super().__init__(network)
        self._summed = {mixed.choice.name for mixed in network.mixed}
        self._rate, self._risen = rate, 0.0

    def begin(self, epoch: int, epochs: int) -> None:
        """The probability rises linearly, from 0 in the first epoch to its full height in the last."""
        self._risen = epoch / max(epochs - 1, 1)

    def dropped(self, paths: int) -> float:
        """The probability with which each of so many paths is dropped in this epoch."""
        return float(self._risen * self._rate ** (1 / paths))

    def draws(self) -> Iterator[None]:
        """One draw of the paths that stay, each with weight 1."""
        rng = generator()
        for name, choice in self.network.choices.items():
            if choice.is_subset or name in self._summed:
                choice.mix(dict.fromkeys(self._kept(len(choice.options), rng), 1.0))
            else:
                choice.decide(int(rng.choice(answers(choice))))
        yield

    def _kept(self, paths: int, rng: Generator) -> list[int]:
        dropped = self.dropped(paths)
        return [path for path in range(paths) if rng.random() >= dropped] or [int(rng.integers(paths))]


@dataclass(frozen=True)
class PathDropout:
    """The one-shot model of Bender et al.: the sum of all candidates, some of them dropped at random.

    The paper's ghost batch-norm (statistics over parts of a batch) is left out.

    Attributes:
        rate: r of section 3.3, in [0, 1): how likely all paths into one place would be dropped, at the end of the
            training. The paper leaves it open; 0.05 drops one of two paths in 22 %, one of four in 47 % of the steps.
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ArchwrightError(f"PathDropout's rate is a probability below 1, not {self.rate}")

    def over(self, network: OpenNetwork) -> DroppedPaths:
        """The sampler that steers `network`."""
        return DroppedPaths(network, self.rate)
