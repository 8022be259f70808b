"""Errors in the user's words: what is wrong, and what to do."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path


class ArchwrightError(Exception):
    """The base of every error that names a mistake a user can mend.

    The command line prints it as one line and exits with status 2; anything else is a bug of ours.
    """


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the near ones, else all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"there is no {kind} {name!r}; did you mean {' or '.join(near)}?"
    return f"there is no {kind} {name!r}; there are {', '.join(names) if names else 'none'}"


def check_list(name: str, value: object, of: str = "") -> None:
    """Whether what has to be a list is no text, which would be read letter by letter.

    Args:
        of: what it is a list of, such as "folders".

    Raises:
        ArchwrightError: it is a text.
    """
    if isinstance(value, str):
        raise ArchwrightError(f"{name} is a list{of and f' of {of}'}, such as [{value!r}]")


def encodable(text: str) -> str:
    """The text with escapes for lone halves of characters, which file names that are no UTF-8 leave in messages.

    Nothing that holds one can be written to a file or a terminal.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def in_one_line(error: BaseException) -> str:
    """What was raised, and where."""
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, ArchwrightError):
        return lines[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {lines[0][:300]}{where}"
