"""Random search: the baseline that every comparison needs (Bergstra and Bengio, 2012; Li and Talwalkar, 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import sample

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Random:
    """Every proposal is drawn anew, whatever came before."""

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture."""
        return Trial(sample(space, rng))
