"""Architectures as labelled graphs, whatever space they come from."""

import networkx as nx
import pytest

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.encodings import BINS, decision_graph, labelled_graph
from archwright.spaces.graphs import PASSING, Graph, paths
from archwright.spaces.nas_bench_201 import from_string
from archwright.testing import spaces_to_survive

STRING = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"  # one with all five


def as_networkx(graph):
    """An independent representation, without edge labels."""
    made = nx.MultiDiGraph()
    made.add_nodes_from((vertex, {"label": text}) for vertex, text in enumerate(graph.labels))
    made.add_edges_from((a, b) for a, b, _ in graph.edges)
    return made


def routes(graph):
    """What `paths` says, by networkx."""
    made = nx.DiGraph(as_networkx(graph))
    starts = [vertex for vertex in made if not made.in_degree(vertex)]
    ends = [vertex for vertex in made if not made.out_degree(vertex)]
    found = [path for a in starts for b in ends if a != b for path in nx.all_simple_paths(made, a, b)]
    return tuple(sorted({tuple(graph.labels[vertex] for vertex in path[1:-1]) for path in found}))


def test_operations_move_from_edges_to_vertices():
    graph = Graph(("input", "sum", "output"), ((0, 1, "conv"), (0, 1, "pool"), (1, 2, "")))
    moved = graph.operations_on_vertices()
    assert moved.labels == ("input", "sum", "output", "conv", "pool")
    assert set(moved.edges) == {(0, 3, ""), (3, 1, ""), (0, 4, ""), (4, 1, ""), (1, 2, "")}


def test_a_cell_of_nasbench201_becomes_the_papers_graph():
    graph = labelled_graph(aw.spaces.nasbench201(), from_string(STRING))
    assert sorted(graph.labels) == sorted(
        [
            "input",
            "sum",
            "sum",
            "output",
            "nor_conv_3x3",
            "skip_connect",
            "nor_conv_1x1",
            "avg_pool_3x3",
            "nor_conv_3x3",
        ]
    )
    expected = nx.DiGraph([("in", "a"), ("in", "d"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "out"), ("d", "out")])
    texts = {"in": "input", "out": "output", "a": "nor_conv_3x3", "b": "nor_conv_1x1", "c": "avg_pool_3x3"}
    nx.set_node_attributes(expected, texts | {"d": "nor_conv_3x3"}, "label")
    found = nx.DiGraph(as_networkx(graph.without(PASSING)))
    assert nx.is_isomorphic(found, expected, node_match=lambda one, other: one == other)


def test_without_keeps_who_reaches_whom():
    streams = Streams(0)
    for number in range(200):
        rng, size = streams[number], 9
        edges = tuple((a, b, "") for a in range(size) for b in range(a + 1, size) if rng.random() < 0.35)
        graph = Graph(tuple("sum" if rng.random() < 0.5 else f"x:{v}" for v in range(size)), edges)
        left, whole = graph.without({"sum"}), nx.DiGraph(as_networkx(graph))
        kept = [vertex for vertex, text in enumerate(graph.labels) if text != "sum"]
        assert left.labels == tuple(graph.labels[vertex] for vertex in kept)
        gone = set(range(size)) - set(kept)
        expected = {  # joined by a path whose inner vertices all left
            (kept.index(a), kept.index(b))
            for a in kept
            for b in kept
            if a != b and nx.has_path(whole.subgraph(gone | {a, b}), a, b)
        }
        assert sorted((a, b) for a, b, _ in left.edges) == sorted(expected)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "cell", "chain", "multibranch"])
def test_paths_are_those_of_networkx(name):
    space, streams = getattr(aw.spaces, name)(), Streams(1)
    for number in range(20):
        graph = labelled_graph(space, aw.spaces.sample(space, streams[number]))
        assert not any(text for _, _, text in graph.edges)
        for seen in (graph, graph.without(PASSING)):
            assert paths(seen) == routes(seen)


def test_paths_of_an_empty_cell():
    assert paths(Graph(("input", "output"), ())) == ()
    assert paths(Graph(("input", "output"), ((0, 1, ""),))) == ((),)


def test_decisions_are_a_graph_where_a_space_has_none():
    space = spaces_to_survive()["conditional"]
    architecture = aw.core.architecture.Architecture(
        (
            ("kind", 0),
            ("kind=conv.kernel", 1),
            ("kind=conv.act", 2),
            ("layers.times", 1),
            ("layers[0].width", 0),
        )
    )
    graph = labelled_graph(space, architecture)
    assert graph == decision_graph(space, architecture)
    middle = f"layers.times={BINS // 3}"
    assert graph.labels == (
        "input",
        "kind=conv",
        "kind=conv.kernel=3",
        "kind=conv.act=c",
        middle,
        "layers.width=8",
        "output",
    )
    opened = {(1, 3, "")}  # the kind opened the activation too, which comes after the kernel
    assert set(graph.edges) == {(vertex, vertex + 1, "") for vertex in range(6)} | opened


def test_numbers_are_cut_into_bins():
    space = aw.Space(dict, x=aw.Real(0.0, 1.0), n=aw.Integer(1, 1000, log=True))
    for x, n, labels in ((0.0, 1, ("x=0", "n=0")), (1.0, 1000, ("x=9", "n=9")), (0.55, 31, ("x=5", "n=5"))):
        architecture = aw.core.architecture.Architecture((("x", x), ("n", n)))
        assert labelled_graph(space, architecture).labels[1:-1] == labels


def test_a_graph_that_fails_gives_way_to_the_decisions():
    class Broken:
        def __init__(self, width): ...

        @staticmethod
        def graph(width):
            raise RuntimeError("not today")

    space = aw.Space(Broken, width=aw.Choice(8, 16))
    architecture = aw.spaces.sample(space, Streams(0)[0])
    assert labelled_graph(space, architecture) == decision_graph(space, architecture)
