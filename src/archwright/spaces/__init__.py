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
    from archwright.spaces.anchors import zoph_le
    from archwright.spaces.auto_net import autonet
    from archwright.spaces.cartesian import cgp
    from archwright.spaces.cells import cell
    from archwright.spaces.chains import chain
    from archwright.spaces.encodings import OneHot
    from archwright.spaces.ge_net import genet
    from archwright.spaces.meta_qnn import metaqnn
    from archwright.spaces.motifs import hierarchical
    from archwright.spaces.multi_branch import multibranch
    from archwright.spaces.nas_bench_101 import nasbench101
    from archwright.spaces.nas_bench_201 import nasbench201
    from archwright.spaces.progressive_cells import pnas

__all__ = [
    "Graph",
    "OneHot",
    "Space",
    "autonet",
    "cell",
    "cgp",
    "chain",
    "cross_over",
    "enumerate_all",
    "genet",
    "hierarchical",
    "metaqnn",
    "multibranch",
    "mutate",
    "nasbench101",
    "nasbench201",
    "neighbours",
    "pnas",
    "sample",
    "size",
    "trace",
    "zoph_le",
]

SPACES = {
    "autonet": "auto_net",
    "cell": "cells",
    "cgp": "cartesian",
    "chain": "chains",
    "genet": "ge_net",
    "hierarchical": "motifs",
    "metaqnn": "meta_qnn",
    "multibranch": "multi_branch",
    "nasbench101": "nas_bench_101",
    "nasbench201": "nas_bench_201",
    "pnas": "progressive_cells",
    "zoph_le": "anchors",
}
"""The library's own spaces: each function and its module. (No module is called like a function: it would hide it.)"""

__getattr__ = lazy(
    __name__,
    {f"archwright.spaces.{module}": [name] for name, module in SPACES.items()}
    | {"archwright.spaces.encodings": ["OneHot"]},
)
