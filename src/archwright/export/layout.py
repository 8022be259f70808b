"""Python text: literals, and lines that are broken as a formatter would break them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import torch

from archwright.export.result import ExportError

WIDTH = 120


def literal(value: object) -> str:
    """Python source for a plain value.

    Raises:
        ExportError: the value has no literal.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or value is ... or isinstance(value, (bool, int, float)):
        return "..." if value is ... else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, torch.device):
        return f'torch.device("{value}")'
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    raise ExportError(f"a value of type {type(value).__name__} can't be written as source: {value!r:.80}")


def wrap(line: str, indent: int = 0) -> Iterator[str]:
    """The line, broken at its last outer brackets if it is too long: the inside on one line, else one item a line."""
    margin = " " * indent
    inside = None if len(margin + line) <= WIDTH else _last_brackets(line, WIDTH - indent)
    if inside is None:
        yield margin + line
        return
    start, stop = inside
    yield margin + line[:start]
    items = _items(line[start:stop])
    if indent + 4 + stop - start <= WIDTH or len(items) == 1:
        yield from wrap(line[start:stop], indent + 4)
    else:
        for item in items:
            yield from wrap(item + ",", indent + 4)
    yield margin + line[stop:]


def _depths(line: str) -> Iterator[tuple[int, str, int]]:
    """Every character outside of strings with its place and how many brackets are open around it."""
    depth, quoted, escaped = 0, False, False
    for place, character in enumerate(line):
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "([{":
            yield place, character, depth
            depth += 1
        elif character in ")]}":
            depth -= 1
            yield place, character, depth
        else:
            yield place, character, depth


def _last_brackets(line: str, room: int) -> tuple[int, int] | None:
    """From where to where the inside of the last outer brackets goes that leave room for what is before them."""
    outer = [place for place, character, depth in _depths(line) if depth == 0 and character in "()[]{}"]
    pairs = [(start + 1, stop) for start, stop in zip(outer[::2], outer[1::2], strict=True) if start + 1 < stop]
    return next((pair for pair in reversed(pairs) if pair[0] <= room), None)


def _items(text: str) -> list[str]:
    cuts = [place for place, character, depth in _depths(text) if depth == 0 and character == ","]
    bounds = zip([0, *(cut + 1 for cut in cuts)], [*cuts, len(text)], strict=True)
    return [item for item in (text[start:stop].strip() for start, stop in bounds) if item]
