"""`archwright list`: the library's parts and their fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from archwright import registry
from archwright.cli.fields import OURS, Field, fields_of
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import describe

KINDS = (
    "spaces",
    "strategies",
    "estimators",
    "predictors",
    "extrapolators",
    "proxies",
    "tasks",
    "costs",
    "samplings",
    "hypernetworks",
    "benchmarks",
    "recipes",
)
_HIDDEN = {"estimators": OURS, "recipes": {"task"}}


def listing(kind: str) -> list[dict[str, Any]]:
    """The parts of a kind as JSON.

    Raises:
        ArchwrightError: there is no such kind.
    """
    if kind not in KINDS:
        raise ArchwrightError(one_of("kind of part", kind, KINDS))
    return [
        {"name": name, "about": _first_line(maker), "fields": [field.as_json() for field in _fields(kind, maker)]}
        for name, maker in registry.parts(kind).items()
    ]


def listing_text(kind: str) -> Iterator[str]:
    """The parts of a kind for people."""
    yield f"{kind}:"
    for name, maker in registry.parts(kind).items():
        yield f"  {name:<22} {_first_line(maker)}"
        for field in _fields(kind, maker):
            default = "" if field.required else f" = {_default(field.default)}"
            yield f"      {field.name}: {field.text}{default}"
            for inner in field.inner():
                value = getattr(field.default, inner.name, inner.default)  # of a default that is such a record
                yield f"          {field.name}.{inner.name}: {inner.text} = {_default(value)}"


def _fields(kind: str, maker: Any) -> list[Field]:
    return [field for name, field in fields_of(maker).items() if name not in _HIDDEN.get(kind, ())]


def _first_line(maker: Any) -> str:
    return (inspect.getdoc(maker) or "").partition("\n\n")[0].replace("\n", " ")


def _default(value: Any) -> str:
    """A default as it would be written in a configuration file."""
    from archwright.cli.show import short

    described = describe(value)
    if isinstance(described, list):
        return f"[{', '.join(_label(item) for item in described)}]"
    return short(described)


def _label(item: Any) -> str:
    """An op by its label, any other part by its name."""
    if isinstance(item, dict) and item.get("name") == "op":
        return str(item["arguments"]["name"])
    return str(item.get("name", item.get("repr")) if isinstance(item, dict) else item)
