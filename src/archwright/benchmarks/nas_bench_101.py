"""NAS-Bench-101 (Ying et al., 2019) as a benchmark: 423,624 cells on CIFAR-10."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from archwright.benchmarks.files import data_file, read_npz
from archwright.benchmarks.table import BadTable, Benchmark, Numbers, Table
from archwright.core.architecture import Architecture
from archwright.core.parts import part
from archwright.spaces.nas_bench_101 import EDGES, VERTICES
from archwright.spaces.nas_bench_101 import nasbench101 as nasbench101_space
from archwright.spaces.space import Space

FILE = "nasbench101.npz"
SIZE = 423_624
"""Cells that differ as graphs: all of the benchmark."""

BEST = {"test_accuracy": 0.9432}
"""The published optimum, a mean of three trainings. The table of single trainings has 0.9466."""

GRAPH = ("hash16", "vertices", "edges", "ops", "params")
"""What a file says of each cell: the first 16 digits of its hash, by which the rows are sorted, how many vertices it
has, its edges (bit x + y(y - 1)/2 is the edge x -> y), its operations in the order of the hash's numbers, and its
parameters. All other arrays of the file are columns of the table."""


@part
def nasbench101(data: str | Path | None = None) -> Benchmark:
    """NAS-Bench-101's 423,624 cells on CIFAR-10, trained for 108 epochs.

    With a table that `archwright benchmark import` made of the official file, strategies search on `valid_accuracy` of
    one of three trainings (a trial's seed says which), each costs its training time, and the winner is judged by the
    mean `test_accuracy`. Fidelity 1/27, 1/9 and 1/3 ask for the trainings of 4, 12 and 36 epochs, which the file of 108
    epochs alone lacks.

    The small public table without validation accuracies has one number a cell: the test accuracy of one training. It is
    called `accuracy` then, strategies search on it, and `test_accuracy` is the same number again. So regret is of the
    search alone, without the gap between validation and test, and no time is known: each evaluation costs 0 seconds.

    Args:
        data: the folder of the table; see `archwright.benchmarks.files.data_file` for where else it is looked for.

    Raises:
        BadTable: the table is not there, or is none.
    """
    numbers, arrays = _read(data_file(FILE, data))
    columns = {name: values for name, values in arrays.items() if name not in GRAPH}
    single = columns.pop("test_108", None)
    if single is not None:
        columns |= {"accuracy": single, "test_accuracy": single}
    columns["parameters"] = arrays["params"]
    space = nasbench101_space()
    return Benchmark(
        "nasbench101",
        space,
        Table(columns, partial(row_of, space, numbers), partial(architecture_of, arrays), fixed_order=True),
        objective="valid_accuracy" if single is None else "accuracy",
        fidelity_of="108 epochs",
    )


def row_of(space: Space, numbers: Numbers, architecture: Architecture) -> int | None:
    """The row of the hash among the sorted `numbers` (hashes' first 16 digits); None for what the space excludes."""
    if space.excluded(architecture) is not None:
        return None
    number = np.uint64(int(space.key(architecture)[:16], 16))
    row = int(np.searchsorted(numbers, number))
    return row if row < len(numbers) and numbers[row] == number else None


def architecture_of(arrays: Mapping[str, Numbers], row: int) -> Architecture:
    """One of the architectures that are the row's cell: the output is vertex 6, vertices left over are unconnected."""
    last, bits = int(arrays["vertices"][row]) - 1, int(arrays["edges"][row])
    there = {(a, VERTICES - 1 if b == last else b) for index, (a, b) in enumerate(EDGES) if bits >> index & 1}
    ops = arrays["ops"][row].decode().ljust(VERTICES - 2, "0")
    edges = [(f"edges[{index}]", int(edge in there)) for index, edge in enumerate(EDGES)]
    return Architecture((*edges, *((f"ops[{index}]", int(op)) for index, op in enumerate(ops))))


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[Numbers, dict[str, Numbers]]:
    """The hashes as numbers, and the arrays of the file."""
    arrays = read_npz(path)
    for name in GRAPH:
        if name not in arrays:
            raise BadTable(f"{path} is no table of NAS-Bench-101: it lacks the array {name}")
    numbers = np.frombuffer(bytes.fromhex(arrays["hash16"].tobytes().decode()), ">u8").astype(np.uint64)
    if (numbers[1:] <= numbers[:-1]).any():
        raise BadTable(f"{path}: rows have to be sorted by hash16, each cell once")
    for name, values in arrays.items():
        if values.dtype.kind == "f":
            arrays[name] = values.astype(float)
    return numbers, arrays
