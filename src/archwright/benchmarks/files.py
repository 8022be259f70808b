"""Where benchmark tables lie, and how they are read: numbers and text only, never pickles."""

from __future__ import annotations

import csv
import gzip
import os
from functools import lru_cache
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


def data_file(name: str, folder: str | Path | None = None) -> Path:
    """The file of that name in `folder`, else in `data_folder()`.

    Raises:
        BadTable: it is not there; says how to get it.
    """
    path = (Path(folder).expanduser() if folder is not None else data_folder()) / name
    if not path.is_file():
        raise BadTable(
            f"there is no {name} in {path.parent}; `archwright benchmark import` makes it from the benchmark's official "
            f"file, and ${ENVIRONMENT} says where tables lie"
        )
    return path.resolve()


@lru_cache(maxsize=4)
def read_csv(path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The columns of a (gzipped) CSV file by name: float64, or text where it is not all numbers; empty is NaN.

    Raises:
        BadTable: not such a file.
    """
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise BadTable(f"{path} is no readable table: {error}") from None
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadTable(f"{path}: line {number} has {len(row)} fields, and the header has {len(header)}")
    return {name: _numbers(values) for name, values in zip(header, zip(*rows, strict=True), strict=True)}


def _numbers(values: tuple[str, ...]) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return np.array([value or "nan" for value in values], dtype=float)
    except ValueError:
        return np.array(values)
