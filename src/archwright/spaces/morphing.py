"""Network morphisms: changes of an architecture after which the network can begin as the function it was.

A space whose networks can grow says so by its factory, in two places:

    morphs(**arguments)         an attribute of the factory: the arguments after each function-preserving change
    inherit(parent, generator)  a method of its networks: takes over the parent's weights

Sources: Chen et al. (2016), Net2Net; Wei et al. (2016); Elsken et al. (2017), section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from archwright.core.architecture import Architecture, BadArchitecture, Value
from archwright.core.choices import Choice, Integer, Real, Repeat, Subset, accepts
from archwright.spaces.space import Space, branches


@dataclass(frozen=True, slots=True)
class Morph:
    """A child that a function-preserving change reaches.

    Attributes:
        kind: which change, such as "deepen", "widen", "kernel", "skip", "concat" or "branch".
    """

    kind: str
    architecture: Architecture


def has_morphs(space: Any) -> bool:
    """Whether a space says how its networks can grow."""
    return getattr(getattr(space, "factory", None), "morphs", None) is not None


def morphs(space: Any, architecture: Architecture) -> list[Morph]:
    """The children of an architecture whose networks can begin as the function that it computes, each once.

    Empty for a space whose networks can't grow. What the space excludes, or has no room for, is left out.
    """
    if not has_morphs(space):
        return []
    found: dict[Architecture, Morph] = {}
    for kind, arguments in space.factory.morphs(**space.resolve(architecture)):
        try:
            child = decided_as(space, arguments)
        except BadArchitecture:  # one layer too many, or wider than the widest
            continue
        if child != architecture and child not in found and space.excluded(child) is None:
            found[child] = Morph(kind, child)
    return list(found.values())


def decided_as(space: Space, arguments: dict[str, Any]) -> Architecture:
    """The architecture with these arguments of the factory: the inverse of `Space.resolve`.

    Where several decisions lead to the same arguments it is the first.

    Raises:
        BadArchitecture: the space has no such architecture.
    """
    for decisions, _ in _sequences([(name, tree, arguments[name]) for name, tree in space.choices.items()], {}):
        return Architecture(decisions)
    raise BadArchitecture("the space has no architecture with these arguments")


Decisions = tuple[tuple[str, Value], ...]
Scope = dict[int, Any]
"""What shared objects became, by identity, as `Space.walk` keeps it."""


def _sequences(items: Sequence[tuple[str, Any, Any]], scope: Scope) -> Iterator[tuple[Decisions, Scope]]:
    """The ways to decide several (name, tree, value) one after the other."""
    if not items:
        yield (), scope
        return
    (name, tree, value), rest = items[0], items[1:]
    for decisions, after in _ways(tree, value, name, scope):
        for more, last in _sequences(rest, after):
            yield decisions + more, last


def _ways(tree: Any, value: Any, name: str, scope: Scope) -> Iterator[tuple[Decisions, Scope]]:
    """The decisions that make `value` of `tree`; the counterpart of `space._resolve`, with the same names."""
    if id(tree) in scope:
        if scope[id(tree)] == value:
            yield (), scope
    elif isinstance(tree, Subset):
        for index, taken in enumerate(tree.combinations):
            if len(value) == len(taken):
                inside = [(f"{name}[{i}]", tree.items[i], part) for i, part in zip(taken, value, strict=True)]
                for decisions, after in _sequences(inside, scope):
                    yield ((name, index), *decisions), after | {id(tree): value}
    elif isinstance(tree, Choice):
        for index, option in enumerate(tree.options):
            for decisions, after in _ways(option, value, f"{name}={tree.labels[index]}", scope):
                yield ((name, index), *decisions), after | {id(tree): value}
    elif isinstance(tree, Integer | Real):
        if isinstance(value, int | float) and accepts(tree, value):
            yield ((name, value),), scope | {id(tree): value}
    elif isinstance(tree, Repeat):
        if isinstance(value, list):
            for decisions, after in _ways(tree.times, len(value), f"{name}.times", scope):
                for more in _repetitions(tree, value, name, after):
                    yield decisions + more, after | {id(tree): value}
    elif isinstance(tree, dict | list | tuple | partial):
        if _alike(tree, value):
            parts = [(name + suffix, part) for suffix, part in branches(tree)]
            values = [part for _, part in branches(value)]
            yield from _sequences([(*part, own) for part, own in zip(parts, values, strict=True)], scope)
    elif type(tree) is type(value) and tree == value:
        yield (), scope


def _repetitions(repeat: Repeat, values: list[Any], name: str, scope: Scope) -> Iterator[Decisions]:
    """Each repetition decides for itself: what it shares is forgotten after it."""
    if not values:
        yield ()
        return
    for before in _repetitions(repeat, values[:-1], name, scope):
        last = len(values) - 1
        for decisions, _ in _ways(repeat.at(last), values[last], f"{name}[{last}]", dict(scope)):
            yield before + decisions


def _alike(tree: Any, value: Any) -> bool:
    """Whether two containers are of one kind and have as many parts, under the same keys."""
    if type(tree) is not type(value):
        return False
    if isinstance(tree, partial):
        return tree.func == value.func and [key for key, _ in branches(tree)] == [key for key, _ in branches(value)]
    return list(tree) == list(value) if isinstance(tree, dict) else len(tree) == len(value)
