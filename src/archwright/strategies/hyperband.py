"""Hyperband: Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, 2017 (JMLR 18(185), 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from archwright.strategies.rungs import Bracket
from archwright.strategies.successive_halving import Halving


@dataclass(frozen=True)
class Hyperband(Halving):
    """Successive halvings from many trials of low fidelity to few of full fidelity, in turn, since nobody knows before
    how far down losses still rank as at the end.

    Algorithm 1 of the paper, with R = 1 and r = `lowest`, for ever instead of once. Where its brackets come to be at
    the same rung, trials are compared within a bracket only, as there.

    `of` may be any strategy that proposes architectures. Of one that waits for all that it asked (NASH, EAS, PathLevel)
    random architectures take some turns as soon as there are several workers, and LocalSearch comes near random search.

    Attributes:
        eta: the paper's 3.
    """

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """s_max + 1 of them, s_max first."""
        return self.rungs.brackets()
