"""OTMANN distances against linear programmes, and what the strategy does with them."""

import builtins
import itertools

import networkx as nx
import numpy as np
import ot
import pytest
from scipy.optimize import linprog

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph
from archwright.strategies import nasbot
from archwright.strategies.nasbot import END, NASBOT, OTMANN, Layers, distances


def mismatch(left, right):
    """What tells two labels of NAS-Bench-201 apart: table 1 for kernels of 1 and 3 along two sides."""
    if left == right:
        return 0.0
    return 0.1 * np.sqrt(2) * np.sqrt(4) if {left, right} == {"nor_conv_1x1", "nor_conv_3x3"} else np.inf


def lengths(graph):
    """The six path lengths of each vertex by enumeration of all its paths, random ones with their probabilities."""
    made = nx.DiGraph([(a, b) for a, b, _ in graph.edges])
    made.add_nodes_from(range(len(graph.labels)))

    def walks(vertex, following):
        if not following(vertex):
            return [(0, 1.0)]
        share = 1.0 / len(following(vertex))
        return [(steps + 1, share * p) for other in following(vertex) for steps, p in walks(other, following)]

    found = []
    for vertex in range(len(graph.labels)):
        row = []
        for way in (made.predecessors, made.successors):
            paths = walks(vertex, lambda v, way=way: list(way(v)))
            steps = [count for count, _ in paths]
            row += [min(steps), max(steps), sum(count * p for count, p in paths)]
        found.append(row)
    return np.array(found, dtype=float)


def programme(left, right, structure):
    """The linear programme of section 3.2 in its own words: Z >= 0, row sums <= masses, unmatched mass costs 1."""
    sizes = []
    for graph in (left, right):
        inner = sum(text not in ("input", "output") for text in graph.labels)
        sizes.append([END * max(inner, 1) if text in ("input", "output") else 1.0 for text in graph.labels])
    n, m = len(sizes[0]), len(sizes[1])
    costs, bounds = np.zeros((n, m)), []
    one, other = lengths(left), lengths(right)
    for i, j in itertools.product(range(n), range(m)):
        label = mismatch(left.labels[i], right.labels[j])
        bounds.append((0.0, 0.0) if np.isinf(label) else (0.0, None))
        costs[i, j] = (0.0 if np.isinf(label) else label) + structure * np.abs(one[i] - other[j]).mean()
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    solved = linprog(  # each matched unit saves the two that it would cost unmatched
        costs.ravel() - 2.0, A_ub=np.vstack([rows, columns]), b_ub=np.concatenate(sizes), bounds=bounds
    )
    assert solved.success
    return solved.fun + sum(sizes[0]) + sum(sizes[1])


@pytest.fixture(scope="module")
def cells():
    space, streams = aw.spaces.nasbench201(), Streams(5)
    found = [labelled_graph(space, aw.spaces.sample(space, streams[n])).without(PASSING) for n in range(12)]
    return [graph for graph in found if graph.edges] + [Graph(("input", "output"), ((0, 1, ""),))]


@pytest.mark.parametrize("structure", [0.1, 0.8])
def test_distances_are_those_of_the_linear_programme(cells, structure):
    layers = [Layers.of(graph) for graph in cells]
    for one, graph in zip(layers, cells, strict=True):
        expected = [programme(graph, other, structure) for other in cells]
        np.testing.assert_allclose(distances(one, layers, structure), expected, atol=1e-7)


def test_path_lengths_are_those_of_all_paths(cells):
    for graph in cells:
        np.testing.assert_allclose(Layers.of(graph).lengths, lengths(graph))


@pytest.mark.parametrize("name", ["nasbench101", "chain", "cell", "multibranch"])
def test_distances_are_a_pseudometric(name):
    space, streams = getattr(aw.spaces, name)(), Streams(6)
    layers = [Layers.of(labelled_graph(space, aw.spaces.sample(space, streams[n])).without(PASSING)) for n in range(10)]
    far = np.array([distances(one, layers, 0.4) for one in layers])
    np.testing.assert_array_equal(far, far.T)
    np.testing.assert_array_equal(np.diag(far), 0.0)
    assert (far[:, :, None] <= far[:, None, :] + far.T[None, :, :] + 1e-7).all()


def test_labels_of_one_kind_can_stand_for_each_other():
    def chain(*labels):
        return Layers.of(Graph(("input", *labels, "output"), tuple((n, n + 1, "") for n in range(len(labels) + 1))))

    def far(left, right):
        return distances(chain(left), [chain(right)], 0.0).item()

    assert far("conv(kernel=3)", "conv(kernel=5)") == pytest.approx(0.2)  # table 1
    assert far("conv(kernel=3)", "conv(kernel=7)") == pytest.approx(0.28, abs=0.005)  # 0.3 there
    assert far("max_pool", "average_pool") == pytest.approx(0.25)
    assert far("conv(kernel=3)", "max_pool") == pytest.approx(2.0)  # neither is matched


def test_the_solver_is_pots():
    rng = Streams(7)[0]
    supply, demand, costs = rng.random(5), rng.random(4), rng.random((5, 4))
    demand *= supply.sum() / demand.sum()
    assert nasbot._transport()(supply, demand, costs, 100_000, 1)[1] == pytest.approx(ot.emd2(supply, demand, costs))


def test_the_kernel_keeps_what_it_has_compared():
    space, streams = aw.spaces.nasbench201(), Streams(8)
    some = [aw.spaces.sample(space, streams[n]) for n in range(9)]
    kernel = OTMANN(space, 0.4)
    kernel.compare(some[:4], some[:4])
    mixed = [some[place] for place in (5, 2, 8, 2, 0)]

    def layers(architectures):
        return [Layers.of(labelled_graph(space, one).without(PASSING)) for one in architectures]

    for columns in (mixed, some[:2], some[:7]):  # the rows themselves, fewer and more
        far, normalised = kernel.compare(mixed, columns)
        expected = np.array([distances(one, layers(columns), 0.4) for one in layers(mixed)])
        np.testing.assert_array_equal(far, expected)
        masses = [[one.masses.sum() + other.masses.sum() for other in layers(columns)] for one in layers(mixed)]
        np.testing.assert_allclose(normalised, expected / masses)
    pairs = kernel.compare(mixed, mixed)
    np.testing.assert_allclose(np.diag(kernel(np.array([0.3, 1.0, 2.0]), pairs)), 1.0)


def test_says_how_to_get_pot(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "ot":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    nasbot._transport.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ArchwrightError, match=r"pip install 'archwright\[ot\]'"):
        NASBOT().propose(aw.spaces.nasbench201(), History("valid_accuracy"), Streams(0)[0])
