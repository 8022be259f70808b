"""Errors in the user's words: what is wrong, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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
