"""Box one: search spaces. Their networks load torch when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy
from archwright.spaces.graphs import Graph
from archwright.spaces.operators import (
    cross_over,
    enumerate_all,
    mutate,
    neighbours,
    sample,
    size,
    trace,
)
from archwright.spaces.space import Space

if TYPE_CHECKING:
    from archwright.spaces.cells import cell
    from archwright.spaces.chains import chain
    from archwright.spaces.encodings import OneHot
    from archwright.spaces.multi_branch import multibranch
    from archwright.spaces.nas_bench_201 import nasbench201

__all__ = [
    "Graph",
    "OneHot",
    "Space",
    "cell",
    "chain",
    "cross_over",
    "enumerate_all",
    "multibranch",
    "mutate",
    "nasbench201",
    "neighbours",
    "sample",
    "size",
    "trace",
]

SPACES = {"cell": "cells", "chain": "chains", "multibranch": "multi_branch", "nasbench201": "nas_bench_201"}
"""The library's own spaces: each function and its module. (No module is called like a function: it would hide it.)"""

__getattr__ = lazy(
    __name__,
    {f"archwright.spaces.{module}": [name] for name, module in SPACES.items()}
    | {"archwright.spaces.encodings": ["OneHot"]},
)
