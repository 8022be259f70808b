"""Several parts in one option, `a,b(field=1),label=c(field=[1,2])`, or in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archwright.cli.config import READERS, Origin
from archwright.core.errors import ArchwrightError

_ITEM = re.compile(r"(?:(?P<label>[^=()]+)=)?(?P<name>[^=()]+)(?:\((?P<fields>.*)\))?", re.DOTALL)
_PAIRS = {"(": ")", "[": "]"}


class Within(Origin):
    """Where a part of a list was written: the option or the file, and the part's own text."""

    def __init__(self, where: str, text: str) -> None:
        super().__init__({})
        object.__setattr__(self, "place", f"{where} {text}")

    def __call__(self, path: str) -> str:
        """The part, and which of its fields."""
        _, _, field = path.partition(".")
        return f"{self.place}{f', {field}' if field else ''}"  # type: ignore[attr-defined]


def listed(texts: Sequence[str], option: str) -> dict[str, tuple[dict[str, Any], Within]]:
    """The parts that an option lists, by their labels, each with its name and fields and where it was written.

    An item is a name, a name with fields in brackets, or a file (.yaml, .toml) that holds a list of them or a mapping
    from labels to them. The label is the part's name; where a name comes twice, with its fields.

    Raises:
        ArchwrightError: brackets that don't match, no field where one should be, a label that comes twice.
    """
    found: list[tuple[str | None, str, dict[str, Any], Within]] = []
    for text in (item for given in texts for item in _split(given, option)):
        if Path(text).suffix.lower() in READERS:
            found += _from_file(Path(text), option)
        else:
            found.append((*_parsed(text, option), Within(option, text)))
    names = [_name(given["name"]) for _, _, given, _ in found]
    labelled: dict[str, tuple[dict[str, Any], Within]] = {}
    for label, text, given, within in found:
        own = label or (_name(given["name"]) if names.count(_name(given["name"])) == 1 else text)
        if own in labelled:
            raise ArchwrightError(
                f"{option}: {own} is named twice; if the two differ, give them labels: {own}-2={text}"
            )
        labelled[own] = given, within
    return labelled


def parsed(text: str, option: str) -> dict[str, Any]:
    """One part, `name` or `name(field=value, ...)`, as its name and fields."""
    return _parsed(text, f"--{option}")[2] if "(" in text else {"name": text}


def _name(name: str) -> str:
    """What a part is called: of file.py:name the name."""
    return name.rpartition(":")[2]


def _parsed(text: str, option: str) -> tuple[str | None, str, dict[str, Any]]:
    item = _ITEM.fullmatch(text)
    if item is None:
        raise ArchwrightError(
            f"{option}: {text!r} can't be understood; write name, name(field=value, ...) or label=name(...)"
        )
    fields = {}
    for field in _split(item["fields"] or "", option):
        key, given, value = field.partition("=")
        if not given:
            raise ArchwrightError(f"{option} {text}: found {field!r}, wanted field=value")
        value = value.strip()
        fields[key.strip()] = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    label = item["label"].strip() if item["label"] else None
    return label, text.partition("=")[2] if label else text, {"name": item["name"].strip(), **fields}


def _split(text: str, option: str) -> Iterator[str]:
    """At the commas outside all brackets; nothing for an empty text."""
    waiting: list[str] = []
    start = 0
    for place, character in enumerate(text):
        if character in _PAIRS:
            waiting.append(_PAIRS[character])
        elif character in _PAIRS.values():
            if not waiting or waiting.pop() != character:
                raise ArchwrightError(f"{option}: {text!r} has a {character} too many")
        elif character == "," and not waiting:
            yield from filter(None, [text[start:place].strip()])
            start = place + 1
    if waiting:
        raise ArchwrightError(f"{option}: {text!r} lacks a {waiting[-1]}")
    yield from filter(None, [text[start:].strip()])


def _from_file(path: Path, option: str) -> Iterator[tuple[str | None, str, dict[str, Any], Within]]:
    try:
        content = READERS[path.suffix.lower()](path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ArchwrightError(f"{option}: {path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    except ValueError as error:  # TOML
        raise ArchwrightError(f"{option}: {path} can't be understood: {' '.join(str(error).split())}") from error
    except Exception as error:  # YAML: its errors have no base that is a ValueError
        raise ArchwrightError(f"{option}: {path} can't be understood: {' '.join(str(error).split())}") from error
    items: list[tuple[str | None, Any]] = (
        list(content.items()) if isinstance(content, Mapping) else [(None, item) for item in content or []]
    )
    for label, item in items:
        given = {"name": item} if isinstance(item, str) else item
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            raise ArchwrightError(
                f"{path}: found {item!r}, wanted a name, or a name and fields: {{name: ..., field: ...}}"
            )
        fields = ",".join(f"{key}={value}" for key, value in given.items() if key != "name")
        yield (
            label,
            f"{given['name']}({fields})" if fields else given["name"],
            dict(given),
            Within(str(path), str(label or given["name"])),
        )
