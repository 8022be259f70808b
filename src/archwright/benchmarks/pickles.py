"""Pickles without their danger: plain containers and numbers come out, and anything else is refused by its name."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from archwright.benchmarks.table import BadTable


class _Kind:
    """Stands for `numpy.dtype`: remembers what a number is made of, and runs nothing of NumPy's."""

    def __init__(self, code: str, *_: object) -> None:
        if re.fullmatch(r"[fiub][1248]", code) is None:
            raise pickle.UnpicklingError(f"a number of kind {code!r}")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"


def _scalar(kind: _Kind, data: bytes) -> int | float | bool:
    """Stands for NumPy's maker of single numbers."""
    if type(kind) is not _Kind:
        raise pickle.UnpicklingError(f"a number of kind {type(kind).__name__}")
    number: int | float | bool = np.frombuffer(data, np.dtype(kind.order + kind.code), count=1).item()
    return number


def _encoded(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which the older protocols write bytes."""
    return text.encode(encoding)


ADMITTED: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "__builtin__.set": set,
    "_codecs.encode": _encoded,
    "numpy.dtype": _Kind,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}
"""All that a pickle may call, by its name in the pickle."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is none of {', '.join(ADMITTED)}")
        ours = ADMITTED[f"{module}.{name}"]
        # Of what is written in Python a fresh stand-in: a pickle may set attributes on what it was given.
        return partial(ours) if ours is _Kind or not isinstance(ours, type) else ours


def read_pickle(file: IO[bytes], path: Path) -> Any:
    """What a pickle holds, if that is dicts, lists, tuples, sets, texts and numbers alone; `path` is for the message.

    Raises:
        BadTable: it holds anything else, or is damaged. Nothing of it has run then.
    """
    try:
        return _Unpickler(file).load()
    except Exception as error:  # a damaged pickle can fail in any way
        raise BadTable(f"{path} is refused, since it is no pickle of plain data: {_one_line(error)}") from None


def read_torch(path: Path) -> Any:
    """The same for a file that torch saved.

    Raises:
        BadTable: it holds anything else than plain data and tensors, or is damaged.
    """
    import torch

    numpys = [(ours, name) for name, ours in ADMITTED.items() if name.startswith("numpy")]
    try:
        with torch.serialization.safe_globals([*numpys, _Kind]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        asked = re.search(r"(?:Unsupported (?:class|global): (?:GLOBAL )?|GLOBAL )([\w.]+)", str(error))
        # torch's own words advise to switch the check off, which is what must not be done
        reason = f"it asks for {asked[1]}" if asked else "it is damaged, or was not saved by torch"
        raise BadTable(f"{path} is refused, since it is no file of plain data and tensors: {reason}") from None


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
