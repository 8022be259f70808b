"""A space and a table that answers as an estimator: strategies compared in seconds, on real measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.benchmarks.nas_bench_201 import nasbench201
    from archwright.benchmarks.table import BadTable, Benchmark, Table, Tabular

__all__ = ["BadTable", "Benchmark", "Table", "Tabular", "nasbench201"]

BENCHMARKS = {"nasbench201": "nas_bench_201"}
"""Each benchmark's function and its module."""

__getattr__ = lazy(
    __name__,
    {f"archwright.benchmarks.{module}": [name] for name, module in BENCHMARKS.items()}
    | {"archwright.benchmarks.table": ["BadTable", "Benchmark", "Table", "Tabular"]},
)
