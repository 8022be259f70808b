"""Canonical keys against brute force over all relabellings, and against networkx."""

import itertools

import networkx as nx
import numpy as np
import pytest

from archwright.spaces.graphs import Graph, union


def random_graph(rng, vertices=6):
    labels = tuple(rng.choice(["a", "b"], size=vertices))
    edges = [
        (a, b, str(rng.choice(["", "x"])))
        for a, b in itertools.combinations(range(vertices), 2)
        for _ in range(rng.integers(0, 3))
        if rng.random() < 0.5
    ]
    return Graph(labels, tuple(edges))


def as_networkx(graph):
    made = nx.DiGraph()
    for vertex, text in enumerate(graph.labels):
        made.add_node(vertex, label=text)
    for a, b, text in graph.edges:
        if not made.has_edge(a, b):
            made.add_edge(a, b, labels=[])
        made[a][b]["labels"] = sorted([*made[a][b]["labels"], text])
    return made


def test_keys_are_equal_exactly_for_isomorphic_graphs():
    rng = np.random.default_rng(0)
    graphs = [random_graph(rng, vertices=4) for _ in range(60)]
    graphs += [graph.relabelled(rng.permutation(4).tolist()) for graph in graphs[:30]]
    equal = 0
    for left, right in itertools.combinations(graphs, 2):
        isomorphic = nx.is_isomorphic(
            as_networkx(left), as_networkx(right), lambda a, b: a == b, lambda a, b: a["labels"] == b["labels"]
        )
        assert (left.key == right.key) == isomorphic
        equal += isomorphic
    assert equal >= 30


def test_refinement_alone_would_not_do():
    # Two 3-cycles and one 6-cycle: every vertex looks like every other, so only individualisation tells them apart.
    two = Graph(("v",) * 6, tuple((a, b, "") for a, b in [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]))
    one = Graph(("v",) * 6, tuple((a, (a + 1) % 6, "") for a in range(6)))
    assert two.key != one.key
    assert one.key == one.relabelled([3, 5, 0, 1, 4, 2]).key


@pytest.mark.parametrize("vertices", [6, 7])
def test_any_relabelling_has_the_same_key(vertices):
    rng = np.random.default_rng(vertices)
    for _ in range(100):
        graph = random_graph(rng, vertices)
        assert graph.relabelled(rng.permutation(vertices).tolist()).key == graph.key


def test_many_equal_branches_are_quick():
    branches = 12
    edges = [(0, index, "skip") for index in range(1, branches + 1)]
    edges += [(index, branches + 1, "") for index in range(1, branches + 1)]
    graph = Graph(("in", *["add"] * branches, "out"), tuple(edges))
    order = np.random.default_rng(0).permutation(branches + 2).tolist()
    assert graph.relabelled(order).key == graph.key  # 12! orders if twins were not seen as twins


def test_pruning_keeps_only_what_lies_on_a_way():
    graph = Graph(("in", "used", "dead end", "no source", "out"), ((0, 1, ""), (1, 4, ""), (0, 2, ""), (3, 4, "")))
    assert graph.pruned([0], [4]) == Graph(("in", "used", "out"), ((0, 1, ""), (1, 2, "")))


def test_pruning_keeps_ends_that_nothing_joins():
    assert Graph(("in", "out"), ()).pruned([0], [1]) == Graph(("in", "out"), ())


def test_union_tells_the_parts_apart():
    one, other = Graph(("a",), ()), Graph(("b",), ())
    assert union([("x", one), ("y", other)]).key != union([("x", other), ("y", one)]).key
