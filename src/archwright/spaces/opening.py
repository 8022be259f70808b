"""Choices left open: what a factory meets in their place, and how it asks what they are at the moment.

A factory does not know whether its choices were decided. An op it calls, as always. Where a choice is not an op (which
inputs a node reads, how many blocks run, how wide a layer is), it asks by the functions here, which take a decided
value too:

    every(chosen)    all that a node may read: the modules to make
    taken(chosen)    what it reads now, with weights: the modules to run
    share(flag)      the weight of a connection that is there or not
    largest(size)    the size to make weights for
    current(size)    the size to compute with now
    shares(size)     the sizes that take part now, with their weights, for who can compute with several at once
    running(blocks)  the repetitions that run now
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from archwright.core.choices import BadSpace, Choice, Integer, Members, Real, Repeat, Subset
from archwright.core.errors import ArchwrightError
from archwright.spaces.space import Space, branches, rebuilt

if TYPE_CHECKING:
    from torch import Tensor

    Weight = Tensor | float
    """Of an option: a number, or a tensor of one element, through which gradients reach a relaxation."""


class Undecided:
    """A choice left open.

    Attributes:
        name: its decision's name; the first one, where several branches share the object.
        choice: what was declared.
        options: its options, with what they hold left open too; of a Subset the items, of an Integer the numbers.
        optional: it stands in an item of a Subset, so that it may be left out as a whole.
        is_size: the factory asked for the largest of its options: they are sizes of a layer.
        weights: of the options that take part now; what is absent is not computed. A single option of weight 1.0 is
            a decision.
    """

    def __init__(self, name: str, choice: Choice | Integer, optional: bool) -> None:
        self.name, self.choice, self.optional = name, choice, optional
        self.options: tuple[Any, ...] = ()
        self.is_size = False
        self.weights: dict[int, Weight] = {}

    def __repr__(self) -> str:
        return f"<{self.name}, left open>"

    def __bool__(self) -> bool:
        """A factory that takes it for a decided flag would build all of the network and never switch any of it."""
        raise TypeError(
            f"{self.name} is left open, so it is neither true nor false: ask every(...), taken(...) or share(...)"
        )

    @property
    def is_subset(self) -> bool:
        """Whether several of its options take part at a time."""
        return isinstance(self.choice, Subset)

    @property
    def is_weighed(self) -> bool:
        """Whether a relaxation weighs its options against each other: not a Subset's items that hold choices of their
        own, since these are weighed by what is in them."""
        return not (self.is_subset and undecided_in(self.options))

    def ask_size(self) -> None:
        """Notes that its options are sizes."""
        self.is_size = True

    def open(self) -> None:
        """All options take part: the items of a Subset in full, other options with equal shares."""
        share = 1.0 if self.is_subset else 1.0 / len(self.options)
        self.weights = dict.fromkeys(range(len(self.options)), share)

    def decide(self, value: Any) -> None:
        """A decision as an architecture holds it: the index of an option, or an Integer's value."""
        if isinstance(self.choice, Subset):
            self.weights = dict.fromkeys(self.choice.combinations[value], 1.0)
        else:
            self.weights = {value - self.choice.low if isinstance(self.choice, Integer) else value: 1.0}

    def mix(self, weights: Mapping[int, Weight] | Iterable[Weight]) -> None:
        """Weights by option, or one for each in their order; those of no option (`none` is the last) are dropped."""
        given = weights if isinstance(weights, Mapping) else dict(enumerate(weights))
        self.weights = {option: weight for option, weight in given.items() if option < len(self.options)}

    @property
    def value(self) -> Any:
        """The option that it is decided to be.

        Raises:
            ArchwrightError: it is not decided.
        """
        if len(self.weights) != 1 or self.is_subset or not isinstance(next(iter(self.weights.values())), float):
            raise ArchwrightError(
                f"{self.name} can be no mixture, since the network computes one of its options at a time: decide it, "
                "or use a strategy that samples architectures"
            )
        return self.options[next(iter(self.weights))]

    @property
    def shares(self) -> Mapping[Any, Weight]:
        """Of numbers: those that take part now, with their weights."""
        return {self.options[option]: weight for option, weight in self.weights.items()}


def undecided_in(tree: Any) -> list[Undecided]:
    """The open choices in an item or option, those inside them not counted."""
    if isinstance(tree, Undecided):
        return [tree]
    if isinstance(tree, dict):
        return [found for part in tree.values() for found in undecided_in(part)]
    if isinstance(tree, list | tuple):
        return [found for part in tree for found in undecided_in(part)]
    return []


class Repetitions(list[Any]):
    """The longest list that a Repeat may be, while its length is open."""

    def __init__(self, blocks: Iterable[Any], times: Undecided) -> None:
        super().__init__(blocks)
        self.times = times


def every(chosen: Any) -> list[Any]:
    """All options that may be taken; of what is decided the one, of a Subset's the ones that were taken."""
    if isinstance(chosen, Undecided):
        return list(chosen.options)
    return list(chosen) if isinstance(chosen, Members) else [chosen]


def taken(chosen: Any) -> list[tuple[Any, Weight]]:
    """The options that take part now, with their weights; of what is decided, those with 1.0."""
    if isinstance(chosen, Undecided):
        return [(chosen.options[option], weight) for option, weight in chosen.weights.items()]
    return [(option, 1.0) for option in every(chosen)]


def share(flag: Any) -> Weight:
    """The weight of a connection that `flag` (true or false, or left open) switches; exactly 0.0 is not computed."""
    weights = [weight for option, weight in taken(flag) if option]
    return sum(weights[1:], weights[0]) if weights else 0.0


def largest(size: Any) -> int:
    """The largest a size may be."""
    if isinstance(size, Undecided):
        size.ask_size()
    most: int = max(every(size))
    return most


def current(size: Any) -> int:
    """The size now.

    Raises:
        ArchwrightError: it is a mixture of several.
    """
    now: int = size.value if isinstance(size, Undecided) else size
    return now


def shares(size: Any) -> Mapping[int, Weight]:
    """The sizes that take part now, with their weights; one with 1.0 where it is decided."""
    if isinstance(size, Undecided):
        return size.shares
    return {size: 1.0}


def running(blocks: Sequence[Any], repetitions: Sequence[Any]) -> Sequence[Any]:
    """Of the `blocks` made for `repetitions`, in their order, those that run now."""
    return blocks[: current(repetitions.times)] if isinstance(repetitions, Repetitions) else blocks


Make = Callable[[str, Choice | Integer, bool], Undecided]


def opened(space: Space, make: Make = Undecided) -> tuple[dict[str, Any], dict[str, Undecided]]:
    """The factory's arguments with everything left open, and what stands for each decision by its name.

    Several names may lead to one object: it is shared by branches.

    Raises:
        BadSpace: a Real, which no network can hold all candidates of.
    """
    found: dict[str, Undecided] = {}
    scope: dict[int, Any] = {}
    arguments = {name: _opened(tree, name, scope, found, make, False) for name, tree in space.choices.items()}
    return arguments, found


def _opened(
    tree: Any, name: str, scope: dict[int, Any], found: dict[str, Undecided], make: Make, optional: bool
) -> Any:
    """The counterpart of `space._resolve`, with the same names."""
    if isinstance(tree, Real):
        raise BadSpace(f"{name} is a Real, and no network can hold a candidate for every number: decide it beforehand")
    if isinstance(tree, Choice | Integer):
        if id(tree) not in scope:
            scope[id(tree)] = found[name] = make(name, tree, optional)
            scope[id(tree)].options = _options(tree, name, scope, found, make, optional)
            scope[id(tree)].open()
        elif name not in found:  # met again, in another branch: the same object under one more name, and what it holds
            found[name] = scope[id(tree)]
            _options(tree, name, scope, found, make, optional)
        return scope[id(tree)]
    if isinstance(tree, Repeat):
        times = _opened(tree.times, f"{name}.times", scope, found, make, optional)
        most = tree.times.high if isinstance(tree.times, Integer) else tree.times
        # Met again, in another branch, it is walked once more in the scopes it had, for its choices' further names.
        known, scopes = scope.get(id(tree)) or (None, [dict(scope) for _ in range(most)])
        blocks = [
            _opened(tree.at(index), f"{name}[{index}]", scopes[index], found, make, optional) for index in range(most)
        ]
        if known is None:
            known = Repetitions(blocks, times) if isinstance(times, Undecided) else blocks
            scope[id(tree)] = known, scopes
        return known
    if isinstance(tree, dict | list | tuple | partial):
        parts = [_opened(part, name + suffix, scope, found, make, optional) for suffix, part in branches(tree)]
        return rebuilt(tree, parts)
    return tree


def _options(
    tree: Choice | Integer, name: str, scope: dict[int, Any], found: dict[str, Undecided], make: Make, optional: bool
) -> tuple[Any, ...]:
    if isinstance(tree, Integer):
        return tuple(range(tree.low, tree.high + 1))
    if isinstance(tree, Subset):
        return tuple(
            _opened(item, f"{name}[{index}]", scope, found, make, tree.none) for index, item in enumerate(tree.items)
        )
    return tuple(
        _opened(option, f"{name}={text}", scope, found, make, optional)
        for text, option in zip(tree.labels, tree.options, strict=True)
    )
