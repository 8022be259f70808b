"""Where benchmark tables lie, and how they are read: numbers and text only, never pickles."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmarks.table import BadTable

ENVIRONMENT = "ARCHWRIGHT_BENCH_DATA"


def data_folder() -> Path:
    """Where imported tables are kept: $ARCHWRIGHT_BENCH_DATA, else ~/.cache/archwright/benchmarks."""
    given = os.environ.get(ENVIRONMENT)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else cache / "archwright" / "benchmarks"


def data_file(
    name: str,
    folder: str | Path | None = None,
    source: str = "`archwright benchmark import` makes it from the benchmark's official file",
) -> Path:
    """The file of that name in `folder`, else in `data_folder()`.

    Args:
        source: where it comes from, for the message.

    Raises:
        BadTable: it is not there; says how to get it.
    """
    path = (Path(folder).expanduser() if folder is not None else data_folder()) / name
    if not path.is_file():
        raise BadTable(f"there is no {name} in {path.parent}; {source}, and ${ENVIRONMENT} says where tables lie")
    return path.resolve()


def read_csv(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The columns of a (gzipped) CSV file by name: float64, or text where it is not all numbers; empty is NaN.

    A first line that begins with # is passed over.

    Raises:
        BadTable: not such a file.
    """
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            first = file.readline()
            header, *rows = csv.reader(file if first.startswith("#") else itertools.chain([first], file))
    except (OSError, EOFError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise BadTable(f"{path} is no readable table: {error}") from None
    for place, name in enumerate(header):
        if name in header[:place]:
            raise BadTable(f"{path} has two columns called {name}: keep one of them")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise BadTable(f"{path}: row {number} has {len(row)} fields, and the header has {len(header)}{_hint(row)}")
    if not rows:
        raise BadTable(f"{path} has a header and no rows")
    return {name: _numbers(values) for name, values in zip(header, zip(*rows, strict=True), strict=True)}


def read_npz(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an .npz file by name, without unpickling anything.

    Raises:
        BadTable: not such a file, or one that holds pickles.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise BadTable(f"{path} is no readable table: {error}") from None


def _hint(row: list[str]) -> str:
    """What to do about a row of too many or too few fields, if it holds a JSON object that was taken apart."""
    if not any(cell.startswith("{") and not cell.endswith("}") for cell in row):
        return ""
    quoted = '"{""width"":0,""depth"":1}"'
    return f"; JSON with commas has to be quoted as CSV, {quoted}, as csv.writer and aw.benchmarks.save do"


def _numbers(values: tuple[str, ...]) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return np.array([value or "nan" for value in values], dtype=float)
    except ValueError:
        return np.array(values)
