"""A space: a factory and its choices. One primitive, `walk`; everything else follows from it."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture, BadArchitecture
from archwright.core.choices import BadSpace, Choice, Decide, Integer, Members, Real, Repeat, Subset, accepts, label
from archwright.core.errors import one_of
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph

if TYPE_CHECKING:
    from torch import nn

Scope = dict[int, Any]
"""What shared objects became, by identity: the same object in two places is decided once."""


class Space:
    """A search space: a factory of networks, and what its arguments leave open.

    `Space(MyNet, width=Choice(16, 32))` builds `MyNet(signature, width=16)`. The factory is any class or function;
    its first argument is the task's `Signature` if it is named `signature`, and is left out otherwise.
    Arguments nest choices in dicts, lists, tuples and `functools.partial`, to any depth; dicts and NamedTuples keep
    their types. `Space(partial(MyNet, depth=3), width=Choice(16, 32))` is `Space(MyNet, depth=3, width=...)`.

    A factory may say more, by attributes that take the same arguments less the signature:
    `graph(**arguments) -> Graph` is what an architecture computes, so that equal networks are recognised and cells can
    be drawn (without it, different decisions are different architectures); `excluded(**arguments) -> str | None` is why
    there is no such network, for rules that choices alone can't express, such as "at most 9 edges";
    `morphs(**arguments)` yields (kind, arguments) of what a function-preserving change reaches, see `spaces.morphing`.

    Raises:
        BadSpace: the factory takes no argument of such a name, or lacks one; or it is a partial with arguments that
            are not named.
    """

    made_by: dict[str, Any]

    def __init__(self, factory: Callable[..., Any], /, **choices: Any) -> None:
        factory, choices = _unwrapped(factory, choices)
        self.factory = factory
        self.choices = choices
        self.takes_signature = _check_arguments(factory, choices)
        self._keys: dict[Architecture, str] = {}

    def __repr__(self) -> str:
        made_by = getattr(self, "made_by", None)
        return f"<space {made_by['name'] if made_by else label(self.factory)}>"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_keys": {}}

    def walk(self, decide: Decide) -> dict[str, Any]:
        """Visits the open choices in order, each decided by `decide(name, choice)`.

        Branches that are not taken are not visited. Returns the factory's arguments with nothing open.
        """
        scope: Scope = {}
        return {name: _resolve(tree, name, decide, scope) for name, tree in self.choices.items()}

    def resolve(self, architecture: Architecture) -> dict[str, Any]:
        """The factory's arguments for an architecture.

        Raises:
            BadArchitecture: a decision is missing, unknown, or no answer to its choice.
        """
        left = architecture.as_dict()

        def read(name: str, choice: Any) -> Any:
            if name not in left:
                raise BadArchitecture(f"the architecture lacks a decision: {one_of('decision', name, left)}")
            value = left.pop(name)
            if not accepts(choice, value):
                raise BadArchitecture(f"decision {name} is {value!r}, which is no answer to {choice!r}")
            return value

        arguments = self.walk(read)
        if left:
            raise BadArchitecture(f"the space asks for no decision {next(iter(left))!r}: is this the same space?")
        return arguments

    def build(self, architecture: Architecture, signature: Signature) -> nn.Module:
        """The network of an architecture, for inputs and outputs as the signature says."""
        arguments = self.resolve(architecture)
        network: nn.Module = self.factory(signature, **arguments) if self.takes_signature else self.factory(**arguments)
        return network

    def excluded(self, architecture: Architecture) -> str | None:
        """Why there is no such network, as a sentence; None if there is one, or if the factory doesn't say."""
        excluded = getattr(self.factory, "excluded", None)
        return None if excluded is None else excluded(**self.resolve(architecture))

    def graph(self, architecture: Architecture) -> Graph | None:
        """What the architecture computes as a labelled graph; None if the factory doesn't say."""
        graph = getattr(self.factory, "graph", None)
        return None if graph is None else graph(**self.resolve(architecture))

    def key(self, architecture: Architecture) -> str:
        """The canonical key: equal for architectures that compute the same graph."""
        known = self._keys.get(architecture)
        if known is None:
            known = self._keys[architecture] = self._key(architecture)
        return known

    def _key(self, architecture: Architecture) -> str:
        normal_form = getattr(self.factory, "normal_form", None)
        if normal_form is not None:  # a published benchmark's own definition of equal
            return str(normal_form(**self.resolve(architecture)))
        graph = self.graph(architecture)
        return _digest(architecture.to_json()) if graph is None else graph.key

    def declaration(self) -> str:
        """A digest of what is declared: names, options, ranges and what is shared; equal for equal declarations."""
        seen: dict[int, int] = {}
        return hashlib.sha256(repr([label(self.factory), _declared(self.choices, seen)]).encode()).hexdigest()[:16]

    def describe(self, architecture: Architecture) -> dict[str, str]:
        """The decisions in words: names with the options' labels, for people to read."""
        words: dict[str, str] = {}
        known = architecture.as_dict()

        def read(name: str, choice: Any) -> Any:
            value = known[name]
            words[name] = choice.labels[int(value)] if isinstance(choice, Choice) else f"{value:.6g}"
            return value

        self.walk(read)
        return words


def branches(tree: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a container, each with what it adds to the name; nothing for any other value."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield f".{key}", part
    elif isinstance(tree, list | tuple):
        for index, part in enumerate(tree):
            yield f"[{index}]", part
    elif isinstance(tree, partial):
        for index, part in enumerate(tree.args):
            yield f"[{index}]", part
        for key, part in tree.keywords.items():
            yield f".{key}", part


def rebuilt(tree: Any, parts: list[Any]) -> Any:
    """A container of the kind of `tree`, with `parts` in the places that `branches` gives."""
    if isinstance(tree, dict):
        made = dict(zip(tree, parts, strict=True))
        if type(tree) is dict:
            return made
        other = copy.copy(tree)  # an OrderedDict, or one with a default
        for key, value in made.items():
            other[key] = value
        return other
    if isinstance(tree, partial):
        count = len(tree.args)
        return partial(tree.func, *parts[:count], **dict(zip(tree.keywords, parts[count:], strict=True)))
    if isinstance(tree, tuple):
        named = getattr(tree, "_make", None)  # a NamedTuple's, whose fields the factory may ask for
        return tuple(parts) if named is None else named(parts)
    return parts


def _resolve(tree: Any, name: str, decide: Decide, scope: Scope) -> Any:
    """`tree` with every choice replaced by what it was decided to be."""
    kind = type(tree)
    if kind is Choice:
        if id(tree) not in scope:
            index = decide(name, tree)
            option = tree.options[index]
            scope[id(tree)] = (
                _resolve(option, f"{name}={tree.labels[index]}", decide, scope)
                if isinstance(option, _CONTAINERS)
                else option
            )
        return scope[id(tree)]
    if kind is Subset:
        if id(tree) not in scope:
            taken = tree.combinations[decide(name, tree)]
            scope[id(tree)] = Members(_resolve(tree.items[i], f"{name}[{i}]", decide, scope) for i in taken)
        return scope[id(tree)]
    if kind is Integer or kind is Real:
        if id(tree) not in scope:
            scope[id(tree)] = decide(name, tree)
        return scope[id(tree)]
    if kind is Repeat:
        if id(tree) not in scope:
            times = _resolve(tree.times, f"{name}.times", decide, scope)
            scope[id(tree)] = [
                _resolve(tree.at(index), f"{name}[{index}]", decide, dict(scope)) for index in range(times)
            ]
        return scope[id(tree)]
    if kind is list:  # the commonest container, and a search walks thousands of times a second
        return [_resolve(part, f"{name}[{index}]", decide, scope) for index, part in enumerate(tree)]
    if isinstance(tree, _CONTAINERS):
        return rebuilt(tree, [_resolve(part, name + suffix, decide, scope) for suffix, part in branches(tree)])
    return tree


def _declared(tree: Any, seen: dict[int, int]) -> Any:
    """`tree` as plain data, the same in every process; what was met before is told by its number."""
    kind = type(tree).__name__
    if isinstance(tree, Choice | Integer | Real | Repeat):
        if id(tree) in seen:
            return "shared", seen[id(tree)]
        seen[id(tree)] = len(seen)
    if isinstance(tree, Choice):
        told = (tree.none,) if isinstance(tree, Subset) else ()
        return kind, tree.labels, [_declared(option, seen) for option in tree.options], *told
    if isinstance(tree, Integer | Real):
        return kind, tree.low, tree.high, tree.log
    if isinstance(tree, Repeat):
        return kind, _declared(tree.times, seen), *(_declared(body, seen) for body in tree.bodies)
    inside = [(suffix, _declared(part, seen)) for suffix, part in branches(tree)]
    return kind, label(tree) if not inside or isinstance(tree, partial) else "", inside


_CONTAINERS = (dict, list, tuple, partial, Choice, Integer, Real, Repeat)
"""What can hold something open. (A tuple of types: building a union at each visit would cost more than the visit.)"""


def _unwrapped(factory: Callable[..., Any], choices: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Of a partial the function itself, which may carry `graph` and the like, with all of its arguments.

    A partial with attributes of its own stays: these take what is open beside it, and no more.
    """
    if not isinstance(factory, partial) or vars(factory):
        return factory, choices
    if factory.args:
        name = label(factory.func)
        raise BadSpace(f"name the arguments of the partial, functools.partial({name}, name=...), or give them to Space")
    return factory.func, {**factory.keywords, **choices}


def _check_arguments(factory: Callable[..., Any], choices: dict[str, Any]) -> bool:
    """Whether the factory takes a signature; raises `BadSpace` where its arguments do not fit the choices."""
    try:
        parameters = dict(inspect.signature(factory).parameters)
    except (TypeError, ValueError):  # some builtins have no signature to look at
        return True
    takes_signature = next(iter(parameters), None) == "signature"
    parameters.pop("signature", None)
    kinds = {parameter.kind for parameter in parameters.values()}
    named = [name for name, parameter in parameters.items() if parameter.kind not in _VARIADIC]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for name in choices:
            if name not in named:
                raise BadSpace(f"{label(factory)} can't be called so: {one_of('argument', name, named)}")
    for name in named:
        if parameters[name].default is inspect.Parameter.empty and name not in choices:
            raise BadSpace(f"{label(factory)} needs the argument {name!r}, which the space doesn't give")
    return takes_signature


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@functools.lru_cache(maxsize=65536)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
