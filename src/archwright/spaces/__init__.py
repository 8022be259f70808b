"""Box one: search spaces. Their networks load torch when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy
from archwright.spaces.graphs import Graph
from archwright.spaces.morphing import Morph, morphs
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
    from archwright.spaces.auto_former import elastic_transformer
    from archwright.spaces.auto_net import autonet
    from archwright.spaces.banks import memory_banks
    from archwright.spaces.cartesian import cgp
    from archwright.spaces.cells import cell
    from archwright.spaces.chains import chain
    from archwright.spaces.darts_cells import darts, robust_darts
    from archwright.spaces.elastic_chains import elastic_chain
    from archwright.spaces.enas import enas_macro, enas_micro
    from archwright.spaces.encodings import OneHot
    from archwright.spaces.fabrics import fabric
    from archwright.spaces.ge_net import genet
    from archwright.spaces.mask_connect import maskconnect
    from archwright.spaces.meta_qnn import metaqnn
    from archwright.spaces.mobile import proxyless
    from archwright.spaces.motifs import hierarchical
    from archwright.spaces.multi_branch import multibranch
    from archwright.spaces.nas_bench_1shot1 import nasbench1shot1
    from archwright.spaces.nas_bench_101 import nasbench101
    from archwright.spaces.nas_bench_201 import nasbench201
    from archwright.spaces.nash import growing
    from archwright.spaces.net2net import eas
    from archwright.spaces.once_for_all import elastic_mobile
    from archwright.spaces.progressive_cells import pnas
    from archwright.spaces.recurrent import darts_rnn, enas_rnn
    from archwright.spaces.tree_cells import path_level

__all__ = [
    "Graph",
    "Morph",
    "OneHot",
    "Space",
    "autonet",
    "cell",
    "cgp",
    "chain",
    "cross_over",
    "darts",
    "darts_rnn",
    "eas",
    "elastic_chain",
    "elastic_mobile",
    "elastic_transformer",
    "enas_macro",
    "enas_micro",
    "enas_rnn",
    "enumerate_all",
    "fabric",
    "genet",
    "growing",
    "hierarchical",
    "maskconnect",
    "memory_banks",
    "metaqnn",
    "morphs",
    "multibranch",
    "mutate",
    "nasbench1shot1",
    "nasbench101",
    "nasbench201",
    "neighbours",
    "path_level",
    "pnas",
    "proxyless",
    "robust_darts",
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
    "darts": "darts_cells",
    "darts_rnn": "recurrent",
    "eas": "net2net",
    "elastic_chain": "elastic_chains",
    "elastic_mobile": "once_for_all",
    "elastic_transformer": "auto_former",
    "enas_macro": "enas",
    "enas_micro": "enas",
    "enas_rnn": "recurrent",
    "fabric": "fabrics",
    "genet": "ge_net",
    "growing": "nash",
    "hierarchical": "motifs",
    "maskconnect": "mask_connect",
    "memory_banks": "banks",
    "metaqnn": "meta_qnn",
    "multibranch": "multi_branch",
    "nasbench1shot1": "nas_bench_1shot1",
    "nasbench101": "nas_bench_101",
    "nasbench201": "nas_bench_201",
    "path_level": "tree_cells",
    "pnas": "progressive_cells",
    "proxyless": "mobile",
    "robust_darts": "darts_cells",
    "zoph_le": "anchors",
}
"""The library's own spaces: each function and its module. (No module is called like a function: it would hide it.)"""

__getattr__ = lazy(
    __name__,
    {
        f"archwright.spaces.{file}": [name for name, module in SPACES.items() if module == file]
        for file in SPACES.values()
    }
    | {"archwright.spaces.encodings": ["OneHot"]},
)
