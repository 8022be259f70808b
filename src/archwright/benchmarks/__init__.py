"""A space and a table that answers as an estimator: strategies compared in seconds, on real measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.benchmarks.ec_nas import ecnas
    from archwright.benchmarks.importing import import_table
    from archwright.benchmarks.nas_bench_101 import nasbench101
    from archwright.benchmarks.nas_bench_201 import nasbench201
    from archwright.benchmarks.saving import load, save
    from archwright.benchmarks.table import BadTable, Benchmark, Table, Tabular

__all__ = [
    "BadTable",
    "Benchmark",
    "Table",
    "Tabular",
    "ecnas",
    "import_table",
    "load",
    "nasbench101",
    "nasbench201",
    "save",
]

BENCHMARKS = {"ecnas": "ec_nas", "nasbench101": "nas_bench_101", "nasbench201": "nas_bench_201"}
"""Each benchmark's function and its module."""

__getattr__ = lazy(
    __name__,
    {f"archwright.benchmarks.{module}": [name] for name, module in BENCHMARKS.items()}
    | {
        "archwright.benchmarks.importing": ["import_table"],
        "archwright.benchmarks.saving": ["load", "save"],
        "archwright.benchmarks.table": ["BadTable", "Benchmark", "Table", "Tabular"],
    },
)
