"""NAS-Bench-201 (Dong and Yang, 2020) as a benchmark: 15,625 cells on three data sets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from archwright.benchmarks.files import data_file, read_csv
from archwright.benchmarks.table import BadTable, Benchmark, Numbers, RowsApart, Table
from archwright.core.architecture import Architecture
from archwright.core.errors import one_of
from archwright.core.parts import part
from archwright.spaces.nas_bench_201 import EDGES, from_string
from archwright.spaces.nas_bench_201 import nasbench201 as nasbench201_space

DATASETS = ("cifar10", "cifar100", "imagenet16")
EXTRAS = ("hardware", "robustness", "zero_cost")
FILE = "nasbench201.csv.gz"
OPTIONS = 5
SIZE = 15_625
"""Strings; 6,466 of them are distinct by the benchmark's own normal form."""

BEST = {"cifar10": 0.9437, "cifar100": 0.7351, "imagenet16": 0.4731}
"""The optimum of `test_accuracy` (200 epochs, the mean of three trainings) on each data set."""


@part
def nasbench201(
    dataset: str = "cifar10", epochs: int = 12, extras: Sequence[str] = (), data: str | Path | None = None
) -> Benchmark:
    """NAS-Bench-201's 15,625 cells as its published protocol uses them: searched on 12 epochs, tested after 200.

    Args:
        dataset: cifar10, cifar100 or imagenet16.
        epochs: what full fidelity is: 12 (a separate training with its own learning-rate schedule, one seed) or 200
            (three seeds; then fidelity 0.06 asks for the 12-epoch training).
        extras: more metrics: "hardware" (latency_ms and energy_mj by device, HW-NAS-Bench; cells that are equal by the
            benchmark's normal form were measured up to twice as slow as each other, so nothing is reused then),
            "robustness" (accuracy under attack), "zero_cost" (proxy scores; not every architecture has them).
        data: the folder of the tables; see `archwright.benchmarks.files.data_file` for where else they are looked for.

    Raises:
        BadTable: the table is not there, or no such data set, epochs or extra.
    """
    if dataset not in DATASETS:
        raise BadTable(one_of("data set of NAS-Bench-201", dataset, DATASETS))
    if epochs not in (12, 200):
        raise BadTable(f"NAS-Bench-201 was trained for 12 and for 200 epochs, not for {epochs}")
    for extra in extras:
        if extra not in EXTRAS:
            raise BadTable(one_of("extra of NAS-Bench-201", extra, EXTRAS))
    columns = dict(_columns(data_file(FILE, data), dataset, epochs))
    for extra in extras:
        columns |= _extra(extra, dataset, data)
    return Benchmark(
        "nasbench201",
        RowsApart(nasbench201_space()) if "hardware" in extras else nasbench201_space(),
        Table(columns, row_of, architecture_of, fixed_order=True),
        fidelity_of=f"{epochs} epochs",
    )


def row_of(architecture: Architecture) -> int:
    """The place in the order of the decisions, as an odometer counts."""
    row = 0
    for _, value in architecture.decisions:
        row = row * OPTIONS + int(value)
    return row


def architecture_of(row: int) -> Architecture:
    """The inverse of `row_of`."""
    digits = [int(row) // OPTIONS ** (len(EDGES) - 1 - place) % OPTIONS for place in range(len(EDGES))]
    return Architecture(tuple((f"edges[{place}]", digit) for place, digit in enumerate(digits)))


_raw = lru_cache(maxsize=4)(read_csv)
"""Each file is read once a process."""


@lru_cache(maxsize=8)
def _columns(path: Path, dataset: str, epochs: int) -> dict[str, Numbers]:
    raw = _raw(path)
    order = _order(path)
    given = {name.removeprefix(f"{dataset}_"): values for name, values in raw.items() if name.startswith(dataset)}

    def column(name: str, scale: float = 1.0) -> Numbers:
        values = np.full(SIZE, np.nan)
        values[order] = given[name] * scale
        return values

    seconds = column("train_seconds_200")
    parameters = np.round(column("params_M", 1e6))
    if epochs == 12:
        return {
            "valid_accuracy@1": column("valid_12", 0.01),
            "seconds@1": seconds * 12 / 200,
            "parameters": parameters,
            "test_accuracy@1": column("test_200", 0.01),
        }
    return {
        "valid_accuracy@0.06": column("valid_12", 0.01),
        "seconds@0.06": seconds * 12 / 200,
        **{f"valid_accuracy@1#{seed}": column(f"valid_200_seed{seed}", 0.01) for seed in range(3)},
        "seconds@1": seconds,
        "parameters": parameters,
        "test_accuracy@1": column("test_200", 0.01),
    }


@lru_cache(maxsize=2)
def _order(path: Path) -> Numbers:
    """The row in our order of each row of the file."""
    return np.array([row_of(from_string(text)) for text in _raw(path)["arch"]])


def _extra(extra: str, dataset: str, data: str | Path | None) -> dict[str, Numbers]:
    if extra != "hardware" and dataset != "cifar10":
        raise BadTable(f"the {extra} columns of NAS-Bench-201 exist for cifar10 only")
    raw = _raw(data_file(f"nasbench201_{extra}_{dataset}.csv.gz", data))
    order = _order(data_file(FILE, data))[raw["index"].astype(int)]
    found: dict[str, Numbers] = {}
    for name, values in raw.items():
        if name != "index":
            column = np.full(SIZE, np.nan)
            column[order] = values
            found[_extra_name(extra, name)] = column
    return found


def _extra_name(extra: str, name: str) -> str:
    """edgegpu_latency -> edgegpu_latency_ms, pgd@Linf_eps-1.0 -> robust_pgd_1_0, snip -> zero_cost_snip."""
    if extra == "hardware":
        return name.replace("_latency", "_latency_ms").replace("_energy", "_energy_mj")
    if extra == "robustness":
        attack = name.replace("@Linf_eps-", "_").replace("-", "_").replace(".", "_")
        return f"robust_{attack.replace('val_accs', 'clean')}"
    return f"zero_cost_{name}"
