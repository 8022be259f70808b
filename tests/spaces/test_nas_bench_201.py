"""Against the benchmark's published facts and table."""

import csv
import gzip
import itertools

import numpy as np
import pytest
import torch

import archwright as aw
from archwright.core.architecture import BadArchitecture
from archwright.spaces.nas_bench_201 import EDGES, from_string, to_string
from archwright.spaces.operators import enumerate_all

NAMES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201()


@pytest.fixture(scope="module")
def architectures(space):
    return list(enumerate_all(space))


def test_15625_strings_are_6466_keys(space, architectures):
    assert aw.spaces.size(space) == len(architectures) == 15_625
    assert len({to_string(architecture) for architecture in architectures}) == 15_625
    assert len({space.key(architecture) for architecture in architectures}) == 6_466


def test_strings_go_both_ways(architectures):
    for architecture in architectures[::97]:
        assert from_string(to_string(architecture)) == architecture
    with pytest.raises(BadArchitecture, match="not a NAS-Bench-201 string"):
        from_string("|nor_conv_9x9~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def test_exact_graph_isomorphism_equals_brute_force(space, architectures):
    """Swapping the two inner nodes is the only relabelling that can keep the input and the output."""

    def smallest(architecture):
        ops = [NAMES[int(value)] for _, value in architecture]
        edges = [(a, b, op) for (a, b), op in zip(EDGES, ops, strict=True) if op != "none"]
        ahead, behind = {0}, {3}
        for _ in range(3):
            ahead |= {b for a, b, _ in edges if a in ahead}
            behind |= {a for a, b, _ in edges if b in behind}
        live = [(a, b, op) for a, b, op in edges if {a, b} <= ahead & behind]
        swapped = [({1: 2, 2: 1}.get(a, a), {1: 2, 2: 1}.get(b, b), op) for a, b, op in live]
        return min(tuple(sorted(live)), tuple(sorted(swapped)))

    some = architectures[::7]
    keys = [space.graph(architecture).key for architecture in some]
    wanted = [smallest(architecture) for architecture in some]
    assert len(set(keys)) == len(set(wanted)) == len(set(zip(keys, wanted, strict=True)))


def test_parameters_equal_the_table_for_200_architectures(space, bench_data):
    with gzip.open(bench_data / "nasbench201.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["params_mismatch"] != "1"]
    for row in np.random.default_rng(0).choice(rows, size=200, replace=False):
        architecture = from_string(row["arch"])
        for classes, column in ((10, "cifar10_params_M"), (100, "cifar100_params_M")):
            with torch.device("meta"):
                network = space.build(architecture, aw.Signature((3, 32, 32), classes))
            assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(
                float(row[column]), rel=5e-6
            )  # six digits


def test_a_cell_computes_what_its_string_says():
    """The cell against a plain loop over nodes and edges, `none` as zeros."""
    space = aw.spaces.nasbench201(cells=1, channels=4)
    signature = aw.Signature((1, 8, 8), 10)
    torch.manual_seed(0)
    for string in (
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|",
        "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|",
    ):
        cell = space.build(from_string(string), signature).body[0].eval()
        x = torch.randn(2, 4, 8, 8)
        nodes = {0: x}
        for target in (1, 2, 3):
            total = torch.zeros_like(x)
            for a, b in itertools.product(range(target), [target]):
                if f"{a}_{b}" in cell.edges:
                    total = total + cell.edges[f"{a}_{b}"](nodes[a])
            nodes[target] = total
        torch.testing.assert_close(cell(x), nodes[3])
