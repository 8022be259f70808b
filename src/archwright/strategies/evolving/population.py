"""What the parts of an evolution hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from numpy.random import Generator

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import Scored
from archwright.core.protocols import SearchSpace


class Population(NamedTuple):
    """The living.

    Attributes:
        parents: who may be selected. Empty until the first of them survives; random architectures are asked till then.
        children: those of a generation that is not complete yet; always empty where there are no generations.
    """

    parents: list[Scored]
    children: list[Scored]


Survive = Callable[[Population, Scored], Population]
"""survive(population, child) -> the population after `child` was evaluated; it may change and return the given one.

Whatever it draws, it draws from a seed made of the child: the population is a function of the history."""

Select = Callable[[Sequence[Scored], Generator], Scored]
"""select(parents, rng) -> one of them."""

Draw = Callable[[], Architecture]
"""Selects a parent, another one at each call."""

Vary = Callable[[SearchSpace, Draw, Generator], Architecture]
"""vary(space, draw, rng) -> a child of as many parents as it draws."""


def demand(kept: bool, what: str) -> None:
    """Refuses a part's numbers.

    Raises:
        ArchwrightError: they don't keep `what`.
    """
    if not kept:
        raise ArchwrightError(f"an evolution needs {what}")
