"""What a space leaves open: `Choice`, `Subset`, `Integer`, `Real` and `Repeat`.

They nest in one another and in dicts, lists, tuples and `functools.partial`. The *same object* in two
places is decided once; inside a `Repeat` each repetition decides anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

from archwright.core.architecture import Value
from archwright.core.errors import ArchwrightError


class BadSpace(ArchwrightError):
    """A declaration that can't be a search space."""


def label(option: Any, index: int = 0) -> str:
    """A short name for an option, for decisions' names, drawings and tables."""
    if isinstance(option, str | int | float | bool | None):
        return str(option)
    if isinstance(option, partial):
        return label(option.func)
    if isinstance(option, Mapping) and option:
        return label(next(iter(option.values())), index)
    name = getattr(option, "label", None) or getattr(option, "__name__", None)
    return name if isinstance(name, str) else str(index)


class Choice:
    """One of several options: any values, and options may hold further choices (conditional branches)."""

    def __init__(self, *options: Any) -> None:
        if not options:
            raise BadSpace("a Choice needs at least one option")
        self.options = options
        labels = [label(option, index) for index, option in enumerate(options)]
        # Names must tell branches apart, so equal labels get their index.
        self.labels = tuple(text if labels.count(text) == 1 else f"{text}#{index}" for index, text in enumerate(labels))

    def __repr__(self) -> str:
        return f"Choice({', '.join(self.labels)})"


class Subset(Choice):
    """`size` of several items, in their order: the inputs that a node reads, say. Its options are the combinations.

    An item's own choices are decided only where it is taken, and are named by the item's place, so that an item which
    two combinations share keeps its decisions from one to the other.

    Args:
        none: where the choices are relaxed, those in an item have one candidate more: that the item takes no part.
    """

    def __init__(self, size: int, *items: Any, none: bool = True) -> None:
        if not 1 <= size <= len(items):
            raise BadSpace(f"a Subset takes between 1 and all of its items, not {size} of {len(items)}")
        self.items, self.size, self.none = items, size, none
        self.combinations = tuple(combinations(range(len(items)), size))
        super().__init__(*(Members(items[place] for place in taken) for taken in self.combinations))
        self.labels = tuple("+".join(map(str, taken)) for taken in self.combinations)

    def __repr__(self) -> str:
        return f"Subset({self.size} of {len(self.items)})"


class Members(tuple[Any, ...]):
    """The items that were taken of a Subset."""

    __slots__ = ()


@dataclass(frozen=True, eq=False)
class Integer:
    """A whole number in [low, high], both included; `log` samples uniformly in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)


@dataclass(frozen=True, eq=False)
class Real:
    """A real number in [low, high]; `log` samples uniformly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self)


class Repeat:
    """A list of `times` repetitions of `body`, each with decisions of its own."""

    @classmethod
    def each(cls, bodies: Sequence[Any], times: int | Integer) -> Repeat:
        """Repetitions whose choices depend on their place, such as which earlier ones to read: number n is `bodies[n]`.

        Raises:
            BadSpace: there may be more repetitions than bodies.
        """
        repeat = cls(None, times)
        most = times.high if isinstance(times, Integer) else times
        if len(bodies) < most:
            raise BadSpace(f"up to {most} repetitions need as many bodies, not {len(bodies)}")
        repeat.bodies = tuple(bodies)
        return repeat

    def __init__(self, body: Any, times: int | Integer) -> None:
        least = times.low if isinstance(times, Integer) else times
        if not isinstance(least, int) or least < 0:
            raise BadSpace(f"Repeat needs times to be an Integer or a whole number of at least 0, not {times!r}")
        self.bodies: tuple[Any, ...] = (body,)
        self.times = times

    def at(self, index: int) -> Any:
        """The body of repetition `index`."""
        return self.bodies[min(index, len(self.bodies) - 1)]

    def __repr__(self) -> str:
        return f"Repeat({', '.join(map(repr, self.bodies))}, times={self.times!r})"


Open = Choice | Integer | Real
"""A choice that somebody has to decide. (`Repeat` asks only through its `times` and its body.)"""

Decide = Callable[[str, Open], Value]
"""decide(name, choice) -> the index of a Choice's option, or an Integer's or a Real's value."""


def _check_range(choice: Integer | Real) -> None:
    kind = type(choice).__name__
    if not (math.isfinite(choice.low) and math.isfinite(choice.high)) or choice.low > choice.high:
        raise BadSpace(f"{kind} needs finite low <= high, not {choice.low}..{choice.high}")
    if choice.log and choice.low <= 0:
        raise BadSpace(f"{kind}(log=True) needs low > 0, not {choice.low}")


def accepts(choice: Open, value: Value) -> bool:
    """Whether `value` is an answer to `choice`."""
    if isinstance(choice, Choice):
        return isinstance(value, int) and 0 <= value < len(choice.options)
    if isinstance(choice, Integer):
        return isinstance(value, int) and choice.low <= value <= choice.high
    return choice.low <= value <= choice.high


def to_unit(choice: Integer | Real, value: Value) -> float:
    """Where `value` lies between low (0.0) and high (1.0), in the logarithm if the choice is `log`.

    In the logarithm an Integer's values stand inside their cells of `from_unit`, so that the two are inverse.
    """
    if choice.high == choice.low:
        return 0.0
    if choice.log:
        low, high = sides(choice)
        return math.log(value / low) / math.log(high / low)
    return (value - choice.low) / (choice.high - choice.low)


def from_unit(choice: Integer | Real, unit: float) -> Value:
    """The inverse of `to_unit`; an Integer's unit interval is cut into one equal cell a value (in the log: by size)."""
    low, high = sides(choice)
    value = low * (high / low) ** unit if choice.log else low + unit * (high - low)
    if isinstance(choice, Integer):
        return min(max(round(value), choice.low), choice.high)
    return min(max(value, choice.low), choice.high)


def sides(choice: Integer | Real) -> tuple[float, float]:
    """The ends of the unit interval; an Integer's half a step outside, so that every value gets its share."""
    step = 0.5 if isinstance(choice, Integer) else 0.0
    return choice.low - step, choice.high + step
