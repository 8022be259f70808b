"""Parts described as JSON: which function or class made them, with which arguments. Never code."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import numbers
import re
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, TypeVar

from archwright.core.errors import ArchwrightError, one_of

Made = TypeVar("Made")


def kebab(name: str) -> str:
    """GeneticCNN -> genetic-cnn, QLearning -> q-learning, PPO -> ppo, fashion_mnist -> fashion-mnist."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).replace("_", "-").lower()


def part(function: Callable[..., Made]) -> Callable[..., Made]:
    """Marks a function that makes a part (a space, a task): what it returns remembers name and arguments.

    The object gets an attribute `made_by`: {"name": kebab name, "arguments": {...}}, defaults included.
    A function that is given data rather than numbers and names leaves in its object's `described` what
    `made_by` shall hold instead, by the argument's name.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> Made:
        made = function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        described = getattr(made, "described", {})
        arguments = {name: described.get(name, value) for name, value in bound.arguments.items()}
        object.__setattr__(made, "made_by", {"name": kebab(function.__name__), "arguments": arguments})
        return made

    return make


def plain(thing: Any) -> Any:
    """A number of NumPy's or torch's, be it an array of no dimensions, as one of Python's own; else `thing` itself."""
    if isinstance(thing, bool | int | float):
        return thing
    if getattr(thing, "shape", None) == () and callable(getattr(thing, "item", None)):
        thing = thing.item()
    if isinstance(thing, numbers.Integral):
        return thing if isinstance(thing, int) else int(thing)
    if isinstance(thing, numbers.Real):
        return float(thing)
    return thing


def describe(thing: Any) -> Any:
    """`thing` as JSON: parts as {"name", "arguments"}, numbers and texts as they are, anything else as its repr.

    Numbers of NumPy and torch are as Python's own.

    A description with a "repr" can be compared and read by people, but not made again. What tells more of itself by a
    method `declaration`, as JSON, has that beside it.
    """
    thing = plain(thing)
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if isinstance(thing, Path):
        return str(thing)
    if isinstance(thing, Mapping):
        return {str(key): describe(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | set | frozenset):
        items = sorted(thing, key=repr) if isinstance(thing, set | frozenset) else thing
        return [describe(item) for item in items]
    made_by = getattr(thing, "made_by", None)
    if made_by is None and hasattr(thing, "declaration"):
        return {"repr": repr(thing), "declaration": thing.declaration()}
    if isinstance(thing, functools.partial):
        return {
            "repr": "partial",
            "function": describe(thing.func),
            "arguments": describe([thing.args, thing.keywords]),
        }
    if made_by is not None:
        return {"name": made_by["name"], "arguments": describe(made_by["arguments"])}
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing) if field.init}
        return {"name": kebab(type(thing).__name__), "arguments": describe(fields)}
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    return {"repr": f"{getattr(thing, '__module__', '')}.{name}"}


def rebuildable(description: Any, known: Container[str] | None = None) -> bool:
    """Whether everything in a description can be made again from names and numbers alone.

    Args:
        known: the names of parts that there are makers of; any name will do if None.
    """
    if isinstance(description, dict):
        is_unknown = known is not None and _is_part(description) and description["name"] not in known
        readable = "repr" not in description and not is_unknown
        return readable and all(rebuildable(value, known) for value in description.values())
    return not isinstance(description, list) or all(rebuildable(item, known) for item in description)


def _is_part(description: Mapping[str, Any]) -> bool:
    return set(description) == {"name", "arguments"}


INSIDE = ("dear", "of")
"""Arguments that hold the part inside another one which does the work, such as the training in an estimator."""


ESTIMATORS = ("cheap", *INSIDE)
"""Arguments that hold an estimator inside another one."""


def innermost(description: Any, name: str) -> Any:
    """The description of an argument of a part; where that is None or lacking, of the part inside."""
    found = None
    while found is None and isinstance(description, Mapping):
        arguments = description.get("arguments")
        arguments = arguments if isinstance(arguments, Mapping) else {}
        found = arguments.get(name)
        description = next((arguments[inside] for inside in INSIDE if inside in arguments), None)
    return found


def with_arguments_named(
    description: Any, name: str, value: Any, replaces: Callable[[Any], bool] = lambda _: True
) -> Any:
    """A description with `value` for the arguments of that name, of the part itself and of those inside it.

    Args:
        replaces: which of these arguments, by their descriptions; all of them if nothing is said.
    """
    if isinstance(description, list):
        return [with_arguments_named(item, name, value, replaces) for item in description]
    if not isinstance(description, Mapping):
        return description
    arguments = description.get("arguments")
    if not isinstance(arguments, Mapping):
        return description
    changed = {
        key: value if key == name and replaces(argument) else with_arguments_named(argument, name, value, replaces)
        for key, argument in arguments.items()
    }
    return {**description, "arguments": changed}


def on_device(description: Any, device: str | None) -> Any:
    """An estimator's description with another `device` for it and for the estimators inside it.

    The devices of other parts stay: that of a Latency is what is measured, not where an estimator computes.
    """
    arguments = description.get("arguments") if isinstance(description, Mapping) else None
    if not isinstance(arguments, Mapping):
        return description
    changed = {
        name: device if name == "device" else on_device(value, device) if name in ESTIMATORS else value
        for name, value in arguments.items()
    }
    return {**description, "arguments": changed}


def remake(description: Any, known: Mapping[str, Callable[..., Any]]) -> Any:
    """The inverse of `describe` for a rebuildable description: parts are made again by the makers in `known`, by name.

    Raises:
        ArchwrightError: a part that is not in `known`.
    """
    if isinstance(description, list):
        return tuple(remake(item, known) for item in description)
    if not isinstance(description, Mapping) or not _is_part(description):
        return description
    if description["name"] not in known:
        raise ArchwrightError(one_of("part", description["name"], known))
    arguments = {name: remake(value, known) for name, value in description["arguments"].items()}
    return known[description["name"]](**arguments)
