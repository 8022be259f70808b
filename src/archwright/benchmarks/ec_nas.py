"""EC-NAS (Bakhtiarifard, Igel and Selvan, 2024): small cells of NAS-Bench-101 after 4, 12, 36 and 108 epochs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from archwright.benchmarks.files import data_file, read_csv
from archwright.benchmarks.table import BadTable, Benchmark, Numbers, Table
from archwright.core.architecture import Architecture
from archwright.core.choices import Choice
from archwright.core.parts import part
from archwright.spaces.nas_bench_101 import EDGES, VERTICES, NasBench101
from archwright.spaces.operators import enumerate_all
from archwright.spaces.ops import NASBENCH101_OPS
from archwright.spaces.space import Space

FILE = "ecnas_4vertices.csv.gz"
SIZE = 91
"""Cells that differ as graphs."""

KEPT = (0, 1, 2, VERTICES - 1)
"""The vertices that may be connected: input, two operations, output."""

EPOCHS = (4, 12, 36, 108)
"""Of the trainings, each with a schedule of its own; the last are full fidelity."""

METRICS = {"valid_accuracy": "val_acc", "seconds": "train_time_s", "energy_kwh": "energy_kwh"}
"""Our columns at each fidelity, and the file's."""

NEEDED = ("hash", "budget_epochs", "epoch", "test_acc", "params", *METRICS.values())


@part
def ecnas(data: str | Path | None = None) -> Benchmark:
    """EC-NAS' cells of up to 4 vertices on CIFAR-10: 4, 12, 36 and 108 epochs, three trainings each, with their energy.

    Fidelities 1/27, 1/9, 1/3 and 1 are trainings of their own, with a learning-rate schedule of that length, so none is
    the beginning of another. A trial's seed says which of the three answers. An evaluation costs its training time;
    `energy_kwh` is what it drew. The winner is judged by the mean `test_accuracy` after 108 epochs.

    Args:
        data: the folder of the table; see `archwright.benchmarks.files.data_file` for where else it is looked for. The
            file has a line for each epoch of a training that was written down; the last one counts.

    Raises:
        BadTable: the table is not there, or is none.
    """
    hashes, columns = _read(data_file(FILE, data, source="it is made of the data that EC-NAS' authors publish"))
    space = small_cells()
    known = {space.key(architecture): architecture for architecture in enumerate_all(space)}
    if known.keys() != hashes.keys():
        raise BadTable(f"{FILE} should have the {len(known)} cells of up to {len(KEPT)} vertices, and has others")
    architectures = [known[key] for key in hashes]
    table = Table(columns, partial(row_of, space, hashes), architectures.__getitem__)
    return Benchmark("ecnas", space, table, fidelity_of="108 epochs")


def small_cells() -> Space:
    """NAS-Bench-101's space with all but the vertices `KEPT` left unconnected: 6 edges and 2 operations are open."""
    inner = VERTICES - 2
    return Space(
        NasBench101,
        edges=[Choice(False, True) if {*edge} <= {*KEPT} else False for edge in EDGES],
        ops=[Choice(*NASBENCH101_OPS) if vertex in KEPT else NASBENCH101_OPS[0] for vertex in range(1, inner + 1)],
    )


def row_of(space: Space, hashes: Mapping[str, int], architecture: Architecture) -> int | None:
    """The row of a cell's hash; None for what the space excludes."""
    return hashes[space.key(architecture)] if space.excluded(architecture) is None else None


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[dict[str, int], dict[str, Numbers]]:
    """The row of each hash, and the columns."""
    raw = read_csv(path)
    for name in NEEDED:
        if name not in raw:
            raise BadTable(f"{path} is no table of EC-NAS: it lacks the column {name}")
    last = raw["epoch"] == raw["budget_epochs"]
    rows = {str(key): row for row, key in enumerate(dict.fromkeys(raw["hash"]))}
    columns: dict[str, Numbers] = {}
    repetition: dict[tuple[int, int], int] = {}  # how many trainings of a cell and a number of epochs there were

    def put(column: str, row: int, value: float) -> None:
        columns.setdefault(column, np.full(len(rows), np.nan))[row] = value

    for line in np.flatnonzero(last).tolist():
        row, epochs = rows[str(raw["hash"][line])], int(raw["budget_epochs"][line])
        seed = repetition[row, epochs] = repetition.get((row, epochs), -1) + 1
        level = f"@{epochs / EPOCHS[-1]!r}#{seed}"
        for name, theirs in METRICS.items():
            put(name + level, row, raw[theirs][line])
        if epochs == EPOCHS[-1]:
            put(f"test_accuracy{level}", row, raw["test_acc"][line])
        put("parameters", row, raw["params"][line])
    return rows, columns
