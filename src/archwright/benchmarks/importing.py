"""Official files, and tables of our own format, to where benchmarks look for them."""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmarks import BENCHMARKS, official_101, official_201
from archwright.benchmarks.files import data_folder
from archwright.benchmarks.nas_bench_101 import FILE as FILE_101
from archwright.benchmarks.nas_bench_201 import FILE as FILE_201
from archwright.benchmarks.saving import KINDS, contents, kind_of
from archwright.benchmarks.table import BadTable, Table
from archwright.core.parts import kebab

SOURCES = (
    "NATS-tss-*.pickle.pbz2 or the folder NATS-tss-*-simple (NATS-Bench), NAS-Bench-201-*.pth, nasbench_*.tfrecord "
    f"(NAS-Bench-101), or a table of archwright's own format ({', '.join(KINDS)})"
)


def import_table(source: str | Path, out: str | Path | None = None) -> Path:
    """Makes a benchmark's table from a file that somebody holds; returns where it lies then.

    No pickle is executed: what is not plain data is refused.

    Args:
        source: one of `SOURCES`.
        out: the folder for the table; `archwright.benchmarks.files.data_folder()` if None.

    Raises:
        BadTable: the source is none of these, or is damaged. Nothing is written then.
    """
    path = Path(source).expanduser()
    folder = data_folder() if out is None else Path(out).expanduser()
    if not path.exists():
        raise BadTable(f"there is no {path}")
    if path.name.endswith(".tfrecord"):
        arrays: dict[str, Any] = official_101.read(path)
        return _written(folder / FILE_101, lambda file: np.savez_compressed(file, **arrays))
    if path.is_dir() or path.name.endswith((".pickle.pbz2", ".pth")):
        columns = official_201.read(path)
        return _written(folder / FILE_201, lambda file: _write_csv(file, columns))
    if path.name.endswith(KINDS):
        header, texts, table = contents(path)
        if re.fullmatch(r"\w[\w.-]*", header["name"]) is None or kebab(header["name"]) in map(kebab, BENCHMARKS):
            raise BadTable(
                f"{path} is called {header['name']!r}: give it a name of letters, digits, - and _ in its header, other "
                f"than {', '.join(BENCHMARKS)}"
            )
        Table({"rows": np.array(texts), **table}, lambda _: None, lambda _: NotImplemented)  # its checks
        return _written(folder / f"{header['name']}{kind_of(path)}", lambda file: shutil.copyfile(path, file))
    raise BadTable(f"{path} is none of what can be imported: {SOURCES}")


def _written(path: Path, write: Callable[[Path], object]) -> Path:
    """Writes beside and renames, so that there is a whole table or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(beside)
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
    return path


def _write_csv(path: Path, columns: dict[str, list[Any]]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if value != value else value for value in row])
