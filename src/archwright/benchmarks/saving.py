"""The table format for anybody's own benchmark: one file, numbers and text only (docs/benchmarks.md)."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from archwright import spaces
from archwright.benchmarks.files import data_folder, read_csv, read_npz
from archwright.benchmarks.table import BadTable, Benchmark, Numbers, RowsApart, Table
from archwright.core.architecture import Architecture, BadArchitecture
from archwright.core.parts import describe, kebab, part, rebuildable, remake
from archwright.spaces.operators import trace
from archwright.spaces.space import Space

FORMAT = 1
"""Goes up when what this version writes can't be read by the ones before."""

KINDS = (".csv.gz", ".csv", ".npz")
ARCHITECTURE = "architecture"
"""The column that says which architecture a row is of: its decisions as JSON, or the space's own text for it."""


def save(benchmark: Benchmark, path: str | Path) -> Path:
    """Writes a benchmark as one file, .csv, .csv.gz or .npz, that `load` reads; returns where it lies.

    Raises:
        BadTable: none of these kinds.
    """
    path, table, space = Path(path), benchmark.table, benchmark.space
    header = {
        "archwright_table": FORMAT,
        "name": benchmark.name,
        "space": describe(space.graphs if isinstance(space, RowsApart) else space),
        **({"rows_apart": True} if isinstance(space, RowsApart) else {}),
        "objective": benchmark.objective,
        "score": benchmark.score,
        "fidelity_of": benchmark.fidelity_of,
    }
    architectures = [table.architecture(row).to_json() for row in range(len(table))]
    if kind_of(path) == ".npz":
        texts = {"header": np.array(json.dumps(header)), ARCHITECTURE: np.array(architectures)}
        arrays: dict[str, Any] = {**texts, **table.columns}
        np.savez_compressed(path, **arrays)
        return path
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        file.write(f"# {json.dumps(header)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([ARCHITECTURE, *table.columns])
        columns = [[_written(value) for value in column.tolist()] for column in table.columns.values()]
        writer.writerows(zip(architectures, *columns, strict=True))
    return path


@part
def load(path: str | Path, space: Space | None = None) -> Benchmark:
    """The benchmark in a file of the table format.

    Args:
        path: the file, or the name of a table that `archwright benchmark import` keeps.
        space: needed for a space of your own, which a table can't make again: it holds no code.

    Raises:
        BadTable: there is no such file, it is no such table, two rows are of one architecture, or its space has to be
            given.
        BadArchitecture: a row is of no architecture of the space; says which row.
    """
    if space is not None and not isinstance(space, Space):
        raise BadTable(f"load(path, space=...) takes a Space, not a {type(space).__name__}")
    file = _found(path)
    header, texts, columns = contents(file)
    space = space or _space(header["space"], file)
    if header.get("rows_apart") and not isinstance(space, RowsApart):
        space = RowsApart(space)
    rows = Rows(space, tuple(_architecture(space, text, place, file) for place, text in enumerate(texts, start=1)))
    _check_twice(rows.architectures, file)
    told = {name: header[name] for name in ("objective", "score", "fidelity_of") if name in header}
    return Benchmark(str(header["name"]), space, Table(columns, rows, rows.architectures.__getitem__), **told)


def contents(path: Path) -> tuple[dict[str, Any], list[str], dict[str, Numbers]]:
    """What a file of the table format holds: the header, an architecture a row as text, and the columns.

    Raises:
        BadTable: it is no such file.
    """
    arrays = read_npz(path) if kind_of(path) == ".npz" else read_csv(path)
    header = _header(path, arrays.pop("header", np.array("")) if kind_of(path) == ".npz" else _first_line(path))
    if ARCHITECTURE not in arrays:
        raise BadTable(f"{path} lacks the column {ARCHITECTURE}")
    texts = [str(text) for text in arrays.pop(ARCHITECTURE).tolist()]
    for name, column in arrays.items():
        if column.dtype.kind not in "fiub" or column.ndim != 1:
            raise BadTable(f"{path}: the column {name} holds something else than numbers")
    return header, texts, arrays


def kind_of(path: Path) -> str:
    """Which of `KINDS` a file is.

    Raises:
        BadTable: none.
    """
    for kind in KINDS:
        if path.name.endswith(kind):
            return kind
    raise BadTable(f"a table is a file {', '.join(KINDS)}, not {path.name}")


@dataclass(frozen=True, eq=False)
class Rows:
    """Which row an architecture is: the one with the same decisions, else the first with the same canonical key."""

    space: Space
    architectures: tuple[Architecture, ...]

    @cached_property
    def _exact(self) -> dict[Architecture, int]:
        return {architecture: row for row, architecture in reversed(list(enumerate(self.architectures)))}

    @cached_property
    def _by_key(self) -> dict[str, int]:
        return {self.space.key(item): row for row, item in reversed(list(enumerate(self.architectures)))}

    def __call__(self, architecture: Architecture) -> int | None:
        """Its row; None if the table lacks it."""
        row = self._exact.get(architecture)
        return self._by_key.get(self.space.key(architecture)) if row is None else row


def _written(value: float) -> str:
    return "" if value != value else repr(value)


def _found(path: str | Path) -> Path:
    given = Path(path).expanduser()
    if given.is_file():
        return given
    kept = [data_folder() / f"{path}{kind}" for kind in KINDS]
    for file in kept:
        if file.is_file():
            return file
    raise BadTable(f"there is no table {path}, neither that file nor one of that name in {data_folder()}")


def _first_line(path: Path) -> str:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        line: str = file.readline()
    return line[1:] if line.startswith("#") else ""


def _header(path: Path, text: object) -> dict[str, Any]:
    try:
        header = json.loads(str(text))
        version = header["archwright_table"]
        if version > FORMAT:
            raise BadTable(f"{path} was written by a newer archwright (table format {version}): update it")
        if not isinstance(header["name"], str) or "space" not in header:
            raise KeyError("name")
    except (json.JSONDecodeError, KeyError, TypeError):
        raise BadTable(
            f"{path} is no table of archwright's format: it has to begin with its header, see docs/benchmarks.md"
        ) from None
    return dict(header)


def _space(description: Any, path: Path) -> Space:
    if not rebuildable(description) or not isinstance(description, Mapping):
        raise BadTable(
            f"{path} is about a space of your own: give it, aw.benchmarks.load(path, space=...); on the command line, "
            "name a function of your own that returns this, file.py:name"
        )
    from archwright.spaces.ops import library_op

    known = {kebab(name): getattr(spaces, name) for name in spaces.SPACES} | {"op": library_op}
    made: Space = remake(description, known)
    return made


def _check_twice(architectures: tuple[Architecture, ...], path: Path) -> None:
    first: dict[Architecture, int] = {}
    for place, architecture in enumerate(architectures, start=1):
        before = first.setdefault(architecture, place)
        if before != place:
            raise BadTable(
                f"{path}: rows {before} and {place} are of the same architecture, {architecture.to_json()}; write "
                "repetitions as columns metric#seed, such as valid_accuracy#0 and valid_accuracy#1"
            )


def _architecture(space: Space, text: str, place: int, path: Path) -> Architecture:
    """The architecture of a row, its decisions in the order of the space's walk."""
    try:
        own = getattr(space.factory, "from_string", None)
        architecture = Architecture.from_json(text) if own is None or text.startswith("{") else own(text)
        space.resolve(architecture)
    except BadArchitecture as error:
        raise BadArchitecture(f"{path}, row {place}: {error}") from None
    known = architecture.as_dict()
    return trace(space, lambda name, _: known[name])
