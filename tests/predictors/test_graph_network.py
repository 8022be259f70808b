import pickle

import numpy as np
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.predictors import GraphNetwork
from archwright.predictors.graph_network import _batch, _forward
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import Graph


def drawn(count, seed=0, space=None):
    space, streams = space or aw.spaces.nasbench201(), Streams(seed)
    return space, [aw.spaces.sample(space, streams[number]) for number in range(count)]


def by_hand(parameters, graph, numbers, size, member):
    """One member's answer for one graph, a vertex at a time."""
    table, *layers = [np.asarray(tensor[member], dtype=np.float64) for tensor in parameters]
    hidden = [table[numbers.get(label, 0)] for label in graph.labels]
    while len(layers) > 4:
        weight, bias, *layers = layers
        heard = []
        for vertex, own in enumerate(hidden):
            before = sum((hidden[a] for a, b, _ in graph.edges if b == vertex), np.zeros_like(own))
            after = sum((hidden[b] for a, b, _ in graph.edges if a == vertex), np.zeros_like(own))
            whole = own + np.maximum(np.concatenate([own, before, after]) @ weight + bias[0], 0.0)
            heard.append((whole - whole.mean()) / np.sqrt(whole.var() + 1e-5))
        hidden = heard
    last = np.maximum((sum(hidden) / size) @ layers[0] + layers[1][0], 0.0)
    return float((last @ layers[2] + layers[3][0])[0])


def test_it_computes_what_its_formula_says():
    space, known = drawn(12)
    fitted = GraphNetwork(members=2, rounds=2, width=6, epochs=4).fit(space, known, np.arange(12.0), seed=1)
    graphs = [labelled_graph(space, one) for one in drawn(5, seed=1)[1]]
    graphs.append(Graph(("input", "never seen", "output"), ((0, 1, ""), (0, 1, ""), (1, 2, ""))))
    found = _forward(fitted.parameters, _batch(graphs, fitted.numbers), fitted.size)
    expected = [[by_hand(fitted.parameters, one, fitted.numbers, fitted.size, m) for one in graphs] for m in range(2)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_numbering_of_vertices_is_of_no_account():
    space, known = drawn(10)
    fitted = GraphNetwork(epochs=3).fit(space, known, np.arange(10.0))
    graphs, rng = [labelled_graph(space, one) for one in known], np.random.default_rng(0)
    turned = [graph.relabelled(rng.permutation(len(graph.labels)).tolist()) for graph in graphs]
    first, second = (
        _forward(fitted.parameters, _batch(some, fitted.numbers), fitted.size) for some in (graphs, turned)
    )
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


def test_it_learns_a_count_that_no_single_decision_tells():
    space, known = drawn(150)
    counts = np.array([labelled_graph(space, one).labels.count("nor_conv_3x3") for one in known], dtype=float)
    fitted = GraphNetwork(members=3, rounds=2, width=16).fit(space, known[:100], counts[:100])
    mean, _ = fitted.predict(known[100:])
    assert np.abs(mean - counts[100:]).mean() < 0.35 * np.abs(counts[100:] - counts[:100].mean()).mean()


def test_its_randomness_is_the_seed_alone_and_it_travels():
    space, known = drawn(8)
    state = torch.random.get_rng_state()
    model = GraphNetwork(members=2, epochs=3)
    first, again, other = (model.fit(space, known, np.arange(8.0), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predict(known), again.predict(known))
    assert (first.predict(known)[0] != other.predict(known)[0]).any()
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).predict(known), first.predict(known))
    assert [part.shape for part in first.predict([])] == [(0,), (0,)]


def test_a_space_without_a_graph_is_read_as_decisions():
    space, known = drawn(10, space=aw.spaces.autonet())
    mean, std = GraphNetwork(epochs=2).fit(space, known, np.arange(10.0)).predict(known)
    assert np.isfinite(mean).all()
    assert (std > 0.0).all()
