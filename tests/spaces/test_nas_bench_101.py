"""Against the benchmark's published definitions and table."""

import numpy as np
import pytest
import torch

import archwright as aw
from archwright.benchmarks.nas_bench_101 import architecture_of
from archwright.core.rng import Streams
from archwright.spaces.graphs import Graph
from archwright.spaces.nas_bench_101 import EDGES, NUMBERS, Cell, module_hash, vertex_channels
from archwright.spaces.ops import NASBENCH101_OPS

OPS = {op.label: op for op in NASBENCH101_OPS}


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench101()


@pytest.fixture(scope="module")
def drawn(space):
    streams = Streams(3)
    return [aw.spaces.sample(space, streams[number]) for number in range(400)]


def architecture(edges, ops=(0, 0, 0, 0, 0)):
    there = [(f"edges[{index}]", int(edge in edges)) for index, edge in enumerate(EDGES)]
    return aw.Architecture((*there, *((f"ops[{index}]", op) for index, op in enumerate(ops))))


def test_its_bits(space):
    assert aw.spaces.size(space) == 2**21 * 3**5
    assert [EDGES.index((x, y)) == x + y * (y - 1) // 2 for y in range(7) for x in range(y)] == [True] * 21


def test_hash_and_parameters_equal_the_table(space, bench_data):
    with np.load(bench_data / "nasbench101.npz") as file:
        arrays = dict(file)
    rows = np.random.default_rng(0).choice(len(arrays["hash16"]), size=200, replace=False)
    for row in rows:
        cell = architecture_of(arrays, row)
        assert space.key(cell)[:16] == arrays["hash16"][row].decode()
        with torch.device("meta"):
            network = space.build(cell, aw.Signature((3, 32, 32), 10))
        assert sum(parameter.numel() for parameter in network.parameters()) == arrays["params"][row]


def test_whatever_is_drawn_is_in_the_table(space, drawn, bench_data):
    with np.load(bench_data / "nasbench101.npz") as file:
        known = set(file["hash16"].tolist())
    assert all(space.key(cell)[:16].encode() in known for cell in drawn)


def test_equal_hashes_are_equal_graphs(space, drawn):
    """The hash against exact isomorphism, which is checked against brute force elsewhere."""
    streams = Streams(4)
    cells = drawn + [aw.spaces.mutate(space, cell, streams[number]) for number, cell in enumerate(drawn)]
    keys = [space.key(cell) for cell in cells]
    graphs = [space.graph(cell).canonical() for cell in cells]
    assert len(set(keys)) == len(set(graphs)) == len(set(zip(keys, graphs, strict=True))) < len(cells)


def test_a_hash_knows_no_order_of_the_vertices():
    graph = Graph(
        ("input", "conv3x3-bn-relu", "maxpool3x3", "output"), ((0, 1, ""), (0, 2, ""), (1, 3, ""), (2, 3, ""))
    )
    assert module_hash(graph) == module_hash(graph.relabelled([0, 2, 1, 3]))
    assert module_hash(graph) != module_hash(Graph(graph.labels, (*graph.edges, (0, 3, ""))))


def test_what_is_excluded_by_an_independent_count():
    """Reachability by powers of the adjacency matrix."""
    space, rng = aw.spaces.nasbench101(), np.random.default_rng(0)
    seen = set()
    for _ in range(1000):
        bits = rng.integers(2, size=21)
        matrix = np.zeros((7, 7), int)
        for (a, b), bit in zip(EDGES, bits, strict=True):
            matrix[a, b] = bit
        reach = np.linalg.matrix_power(np.eye(7, dtype=int) + matrix, 7) > 0
        live = reach[0] & reach[:, 6]
        edges = matrix[np.ix_(live, live)].sum()
        wanted = (
            "no path leads from the cell's input to its output"
            if not reach[0, 6]
            else f"a cell has at most 9 edges, not {edges}"
            if edges > 9
            else None
        )
        reason = space.excluded(architecture({edge for edge, bit in zip(EDGES, bits, strict=True) if bit}))
        assert reason == wanted
        seen.add(reason is None)
    assert seen == {True, False}


def test_the_channels_of_vertices():
    def graph(*edges):
        size = max(b for _, b in edges) + 1
        return Graph(("input", *["conv3x3-bn-relu"] * (size - 2), "output"), tuple((a, b, "") for a, b in edges))

    assert vertex_channels(graph((0, 1)), 128, 256) == [128, 256]
    assert vertex_channels(graph((0, 1), (1, 2)), 128, 256) == [128, 256, 256]
    # Three share 256 channels: the first gets the one left over, and the input to the output does not count.
    split = graph((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4), (0, 4))
    assert vertex_channels(split, 128, 256) == [128, 86, 85, 85, 256]
    # Vertex 1 leads to 2 and 3 only, and takes the wider one's channels.
    assert vertex_channels(graph((0, 1), (1, 2), (1, 3), (2, 4), (3, 4)), 8, 9) == [8, 5, 5, 4, 9]


def test_a_cell_computes_what_its_graph_says():
    """Vertex 1 (3 channels) and 2 (2 channels) share 5; 1 also leads to 2, where its third channel is cut off."""
    graph = Graph(
        ("input", "conv3x3-bn-relu", "maxpool3x3", "output"),
        tuple((a, b, "") for a, b in [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]),
    )
    torch.manual_seed(0)
    cell = Cell(4, 5, graph, OPS).eval()
    x = torch.randn(2, 4, 8, 8)
    first = cell.ops["1"](cell.projections["1"](x))
    second = torch.nn.functional.max_pool2d(first[:, :2] + cell.projections["2"](x), 3, 1, 1)
    torch.testing.assert_close(cell(x), torch.cat([first, second], 1) + cell.projections["3"](x))


def test_an_excluded_architecture_costs_a_search_nothing(space):
    class Asks:
        ends = True

        def propose(self, space, history, rng):
            cells = [architecture(set(EDGES)), architecture({(0, 6)})]
            return aw.Trial(cells[history.asked]) if history.asked < len(cells) else None

    class Never:
        def estimate(self, space, trial):
            assert space.excluded(trial.architecture) is None
            return aw.Evaluation(trial, {"loss": 1.0}, cost=1.0)

    search = aw.search(space, Asks(), Never(), objectives="min:loss")
    first, second = search
    assert (first.failure, first.rejected, first.cost) == ("a cell has at most 9 edges, not 21", True, 0.0)
    assert (second.failure, search.history.spent) == (None, 1)


def test_labels_have_numbers():
    assert NUMBERS == {"input": -1, "output": -2, "conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}
