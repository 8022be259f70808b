"""The fields of a part: found in its signature, checked against its type hints."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from archwright import registry
from archwright.cli.config import Origin, problems
from archwright.cli.defaults import DEFAULTS, TASK_DEFAULTS
from archwright.cli.outcome import Mistakes
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import INSIDE, describe, kebab

Maker = Callable[..., Any]

OURS = frozenset({"task", "checkpoints"})
"""Fields of estimators that the command line fills in itself."""


@dataclass(frozen=True)
class Field:
    """One argument of a part."""

    name: str
    hint: Any
    text: str  # the hint as it is written
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is inspect.Parameter.empty

    @property
    def record(self) -> Maker | None:
        """The dataclass that the value is, if it is one: then it has fields itself."""
        kinds = (kind for kind in _kinds(self.hint) if inspect.isclass(kind))
        return next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)

    @property
    def part(self) -> str | None:
        """Of which kind the value is, where it is a part that the user names; None for any other value."""
        kinds = {getattr(kind, "__name__", "") for kind in _kinds(self.hint)}
        return PARTS.get(self.name) or next((_PROTOCOLS[kind] for kind in sorted(kinds) if kind in _PROTOCOLS), None)

    def inner(self) -> list[Field]:
        """The fields of such a dataclass; none for any other value."""
        return [] if self.record is None else list(fields_of(self.record).values())

    def as_json(self) -> dict[str, Any]:
        """For `list --json`."""
        default = {} if self.required else {"default": describe(self.default)}
        inner = [field.as_json() for field in self.inner()]
        return {"name": self.name, "type": self.text, **default, **({"fields": inner} if inner else {})}


def fields_of(maker: Maker) -> dict[str, Field]:
    """The arguments of a class or function, by name."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):
        return {}
    hints, made = _hints(maker), _made_defaults(maker)
    return {
        item.name: Field(
            item.name,
            hints.get(item.name) or _like(item.default),
            _text(item.annotation),
            made.get(item.name, item.default),
        )
        for item in parameters
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }


def _made_defaults(maker: Maker) -> dict[str, Any]:
    """Of a dataclass, the defaults that are made anew for each object."""
    if not dataclasses.is_dataclass(maker):
        return {}
    return {
        field.name: field.default_factory()
        for field in dataclasses.fields(maker)
        if field.init and field.default_factory is not dataclasses.MISSING
    }


def make(
    maker: Maker, given: Mapping[str, Any], path: str, origin: Origin, ours: Mapping[str, Any] | None = None
) -> Any:
    """Calls `maker` with the fields that the user gave, converted, and with `ours` where it takes them: those in
    `OURS` in any case, the others where the user says nothing. With a task in `ours`, the command line's defaults of a
    part hold too, wherever it stands.

    What it takes as a part is made in the same way; an estimator inside that the user does not name is `Training`.

    Raises:
        Mistakes: a line for every unknown, wrong or missing field.
        ArchwrightError: the maker itself refuses.
    """
    known = fields_of(maker)
    told = set(map(_plain, map(str, given)))
    unsaid = {**_usual(maker, ours or {}), **(ours or {})}
    filled = {name: it for name, it in unsaid.items() if name in known and (name in OURS or name not in told)}
    open_fields = {name: field for name, field in known.items() if name not in (OURS & set(ours or {}))}
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for key, value in given.items():
        name, where = str(key).replace("-", "_"), f"{path}.{key}"
        if name not in open_fields:
            title = kebab(getattr(maker, "__name__", path))
            found = _inside(open_fields, given, name, path, origin)
            hint = f" ({found[0]}, inside it, has one: {origin(found[1])})" if found else ""
            mistakes.append(f"{origin(where)}: {one_of(f'field of {title}', name, open_fields)}{hint}")
            continue
        try:
            values[name] = convert(open_fields[name], value, where, origin, ours)
        except Mistakes as error:
            mistakes += str(error).splitlines()
        except ArchwrightError as error:
            mistakes.append(f"{origin(where)}: {error}")
    missing = [name for name, field in open_fields.items() if field.required and name not in told | set(filled)]
    for name in [name for name in missing if name in INSIDE and open_fields[name].part == "estimators"]:
        values[name] = _part(open_fields[name], {}, f"{path}.{name}", origin, ours)
        missing.remove(name)
    mistakes += [f"{origin(path)}: {kebab(maker.__name__)} needs --{path}.{name}" for name in missing]
    if mistakes:
        raise Mistakes(mistakes)
    return maker(**values, **filled)


def convert(field: Field, value: Any, path: str, origin: Origin, ours: Mapping[str, Any] | None = None) -> Any:
    """A field's value from an option's text or a file's value.

    Raises:
        Mistakes: it is none of what the type hint asks for.
    """
    if field.name in _NESTED:
        return tuple(_NESTED[field.name](item, path, origin) for item in _items(value))
    if field.part is not None and isinstance(value, str | Mapping):
        return _part(field, value, path, origin, ours)
    if field.part is not None and isinstance(value, int | float):
        raise Mistakes([f"{origin(path)}: found {value}, wanted the name of a part, or its name and fields"])
    if field.record is not None and isinstance(value, Mapping):
        kept = vars(field.default) if type(field.default) is field.record else {}  # to change one keeps the others
        if field.name == "hyperparameters" and ours is not None and "task" in ours:
            kept = vars(ours["task"].hyperparameters)
        return make(field.record, kept | {_plain(name): item for name, item in value.items()}, path, origin)
    if isinstance(value, bool) and not {bool, Any} & set(_kinds(field.hint)):  # pydantic would take it for 0 or 1
        raise Mistakes([f"{origin(path)}: found {str(value).lower()}, wanted {field.text}"])
    try:
        adapter = TypeAdapter(field.hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:
        adapter = TypeAdapter(field.hint)
    if value in ("none", "null") and type(None) in _kinds(field.hint):
        return None
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        others = [_items(value)] if isinstance(value, str) else []
        for other in (*others, *map(_without_fractions, (value, *others))):
            with contextlib.suppress(ValidationError):
                return adapter.validate_python(other)
        raise Mistakes(problems(error, origin, path)) from None


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _items(value: Any) -> list[Any]:
    """Several values: a list in a file, separated by commas in an option, in brackets or not."""
    if isinstance(value, str):
        inside = value[1:-1] if value[:1] == "[" and value[-1:] == "]" else value
        return [item.strip() for item in inside.split(",")]
    return list(value) if isinstance(value, Sequence) else [value]


def _without_fractions(value: Any) -> Any:
    """1/27 as a number, alone or in a list; anything else as it is."""
    if isinstance(value, list):
        return [_without_fractions(item) for item in value]
    written = isinstance(value, str) and re.fullmatch(r"\d+/0*[1-9]\d*", value)
    return float(Fraction(value)) if written else value


def _usual(maker: Maker, ours: Mapping[str, Any]) -> dict[str, Any]:
    """The fields for which the command line has defaults of its own on the task in `ours`; none without a task."""
    if "task" not in ours:
        return {}
    task = getattr(ours["task"], "made_by", {}).get("name", "")
    usual = {**DEFAULTS, **TASK_DEFAULTS.get(task, {})}
    for part, kind in (("strategy", "strategies"), ("estimator", "estimators")):
        if registry.parts(kind)[usual[part]["name"]] is maker:
            return {name: value for name, value in usual[part].items() if name != "name"}
    return {}


def _inside(
    fields: Mapping[str, Field], given: Mapping[str, Any], name: str, path: str, origin: Origin
) -> tuple[str, str] | None:
    """Which part, inside one of these fields, has a field of that name, and how that is written; None if none has."""
    for key in [key for key in INSIDE if key in fields and fields[key].part is not None]:
        where = f"{path}.{key}"
        try:
            title, found, inner = _named(fields[key], given.get(key, {}), where, origin)
        except (ArchwrightError, AttributeError, TypeError):  # no part: if that is a mistake it is told anyway
            continue
        known = fields_of(found) if callable(found) else {}
        if name in known and name not in OURS:
            return kebab(title), f"{where}.{name}"
        deeper = _inside(known, inner, name, where, origin)
        if deeper is not None:
            return deeper
    return None


def _cost(item: Any, path: str, origin: Origin) -> Any:
    name, given = (
        (item, {}) if isinstance(item, str) else (item.get("name", ""), {k: v for k, v in item.items() if k != "name"})
    )
    return make(registry.find("costs", name), given, path, origin)


def _op(item: Any, path: str, origin: Origin) -> Any:
    from archwright.spaces.ops import library_op

    return library_op(str(item))


def _part(field: Field, given: Any, path: str, origin: Origin, ours: Mapping[str, Any] | None) -> Any:
    """A part by its name, alone or with fields beside it; fields alone are the default's, the others stay."""
    name, found, fields = _named(field, given, path, origin)
    if callable(found):
        return make(found, fields, path, origin, ours)
    if fields:
        raise ArchwrightError(f"{origin(path)}: {name} is made already, it has no fields")
    return found


def _named(field: Field, given: Any, path: str, origin: Origin) -> tuple[str, Any, dict[str, Any]]:
    """The name of such a part, what has that name, and the fields."""
    from archwright.cli.listed import parsed  # these make parts themselves
    from archwright.cli.parts import check_place, is_own, own

    named = parsed(given, path) if isinstance(given, str) else {_plain(key): value for key, value in given.items()}
    kind = field.part
    assert kind is not None
    if "name" not in named and not field.required:
        named = {"name": kebab(type(field.default).__name__), **vars(field.default), **named}
    elif "name" not in named and field.name in INSIDE and kind == "estimators":
        named = {"name": "training", **named}
    elif "name" not in named:
        raise ArchwrightError(f"{origin(path)}: say which of the {kind}: --{path} NAME")
    name = named.pop("name")
    if not is_own(name):
        return name, registry.find(kind, name), named
    check_place(name, origin)
    return name, own(name), named


PARTS: Mapping[str, str] = {"sampling": "samplings", "weights": "hypernetworks"}
"""Fields that hold one part, which the user names, and of which kind it is."""

_PROTOCOLS: Mapping[str, str] = {
    "Estimator": "estimators",
    "Trains": "estimators",
    "Strategy": "strategies",
    "GradientStrategy": "strategies",
    "Predictor": "predictors",
    "Extrapolator": "extrapolators",
}
"""Types whose values are such parts, whatever the field is called."""

_NESTED: Mapping[str, Callable[[Any, str, Origin], Any]] = {"costs": _cost, "operations": _op}
"""Fields that hold parts, which the user names."""


def _hints(maker: Maker) -> dict[str, Any]:
    # Of a dataclass itself, since fields that it inherits are hinted in the words of their own module.
    target = maker.__init__ if inspect.isclass(maker) and not dataclasses.is_dataclass(maker) else maker
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # a hint of the user's own that only a type checker can read: no conversion then
        return {}


def _like(default: Any) -> Any:
    """The type of a field without a hint, judged by its default."""
    return type(default) if isinstance(default, bool | int | float | str) else Any


def _kinds(hint: Any) -> Iterator[Any]:
    """The types that a hint is made of, unions taken apart."""
    inside = typing.get_args(hint) if _is_union(hint) else ()
    yield from (kind for item in inside for kind in _kinds(item)) if inside else (hint,)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _text(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return "any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
