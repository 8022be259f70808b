"""An architecture as a sequence of decisions among few options each: what a softmax, a table and a tree need."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Integer, Open, Real, from_unit, to_unit
from archwright.core.protocols import SearchSpace
from archwright.spaces.operators import opened, trace

if TYPE_CHECKING:
    from numpy.random import Generator

BINS = 10
"""Into how many options a Real, or an Integer of more values, is cut: a tenth of its range each, as in `neighbours`."""

DRAWS = 50
"""How often `drawn` draws again what the space excludes."""


class Decision(NamedTuple):
    """One of `options` (0, 1, ...) was taken for the choice `name`."""

    name: str
    options: int
    option: int


Pick = Callable[[str, int], int]
"""pick(name, options) -> the option to take."""


def decisions(space: SearchSpace, architecture: Architecture) -> tuple[Decision, ...]:
    """What was decided, in the order of the walk."""
    return tuple(
        Decision(name, options_of(choice), option_of(choice, architecture[name]))
        for name, choice in opened(space, architecture)
    )


def picked(space: SearchSpace, pick: Pick, rng: Generator) -> Architecture:
    """The architecture of a walk that picks options; `rng` draws the values inside bins."""
    return trace(space, lambda name, choice: value_of(choice, pick(name, options_of(choice)), rng))


def drawn(space: SearchSpace, begin: Callable[[], Pick], rng: Generator) -> Architecture:
    """The same with a pick that is begun anew while the space excludes what it leads to.

    What is excluded `DRAWS` times in a row returns all the same: the search rejects it at no cost, and the strategy
    learns from that. (With more draws, a policy that has come to prefer what is excluded stays there: on NAS-Bench-101
    a search in fifteen of REINFORCE spent a hundred times the others' time so.)
    """
    for _ in range(DRAWS):
        architecture = picked(space, begin(), rng)
        if space.excluded(architecture) is None:
            break
    return architecture


def options_of(choice: Open) -> int:
    """How many options a choice has here: a Choice its own, an Integer its values or bins, a Real its bins."""
    if isinstance(choice, Choice):
        return len(choice.options)
    if isinstance(choice, Integer):
        return len(_starts(choice.low, choice.high, choice.log))
    return BINS if choice.low < choice.high else 1


def option_of(choice: Open, value: Value) -> int:
    """The option that holds `value`."""
    if isinstance(choice, Choice):
        return int(value)
    if isinstance(choice, Integer):
        return bisect_right(_starts(choice.low, choice.high, choice.log), value) - 1
    return min(int(to_unit(choice, value) * BINS), options_of(choice) - 1)


def value_of(choice: Open, option: int, rng: Generator) -> Value:
    """A value of the option; of a bin a uniform one."""
    if isinstance(choice, Choice):
        return option
    if isinstance(choice, Real):
        return from_unit(choice, (option + rng.random()) / BINS)
    bounds = (*_starts(choice.low, choice.high, choice.log), choice.high + 1)
    return bounds[option] + int(rng.random() * (bounds[option + 1] - bounds[option]))


@lru_cache(maxsize=4096)
def _starts(low: int, high: int, log: bool) -> tuple[int, ...]:
    """The lowest value of each of an Integer's bins."""
    if high - low < BINS:
        return tuple(range(low, high + 1))
    whole = Integer(low, high, log)
    return tuple(sorted({int(from_unit(whole, index / BINS)) for index in range(BINS)}))
