"""The Weisfeiler-Lehman kernel against networkx."""

import pickle
from collections import Counter

import networkx as nx
import numpy as np
import pytest

import archwright as aw
from archwright.core.rng import Streams
from archwright.predictors.weisfeiler_lehman import WeisfeilerLehman, label_counts
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph


def hashes(graph, rounds):
    """Label counts of all rounds by networkx, whose hashes know no directions.

    Each edge is cut in two by a vertex "leaves" and a vertex "enters", so a directed round is three undirected ones.
    """
    made = nx.Graph()
    made.add_nodes_from((vertex, {"label": text}) for vertex, text in enumerate(graph.labels))
    for number, (a, b, _) in enumerate(graph.edges):
        tail, head = ("leaves", number), ("enters", number)
        made.add_node(tail, label="leaves")
        made.add_node(head, label="enters")
        made.add_edges_from([(a, tail), (tail, head), (head, b)])
    steps = 3 * rounds
    found = (
        nx.weisfeiler_lehman_subgraph_hashes(made, node_attr="label", iterations=steps, digest_size=16) if steps else {}
    )
    counts = Counter(graph.labels)
    for vertex in range(len(graph.labels)):
        counts.update((done, found[vertex][3 * done - 1]) for done in range(1, rounds + 1))
    return counts


def cosine(left, right):
    product = sum(left[text] * right[text] for text in left)
    lengths = [sum(count**2 for count in counts.values()) for counts in (left, right)]
    return product / np.sqrt(lengths[0] * lengths[1])


@pytest.mark.filterwarnings("ignore:The hashes produced for")  # networkx tells that its hashes changed in a version
@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "cell", "multibranch"])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_the_kernel_is_that_of_networkx(name, rounds):
    space, streams = getattr(aw.spaces, name)(), Streams(2)
    architectures = [aw.spaces.sample(space, streams[number]) for number in range(8)]
    architectures += [aw.spaces.mutate(space, parent, streams[9]) for parent in architectures]
    counts = [hashes(labelled_graph(space, one).without(PASSING), rounds) for one in architectures]
    expected = [[cosine(left, right) for right in counts] for left in counts]
    kernel = WeisfeilerLehman(space, rounds)
    found = kernel(np.zeros(0), kernel.compare(architectures, architectures))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(kernel.compare(architectures[:3], architectures[5:]), found[:3, 5:], atol=1e-12)


def test_counts_by_hand():
    # input -> a -> output, input -> a: in the first round the two "a" part ways, in no round do the ends meet.
    graph = Graph(("input", "a", "a", "output"), ((0, 1, ""), (1, 3, ""), (0, 2, "")))
    for rounds, counts in ((0, [1, 1, 2]), (1, [1] * 6 + [2])):
        _, values = label_counts(graph, rounds)
        np.testing.assert_allclose(np.sort(values), np.array(counts) / np.linalg.norm(counts))


def test_directions_count():
    there, back = Graph(("a", "b"), ((0, 1, ""),)), Graph(("a", "b"), ((1, 0, ""),))
    assert set(label_counts(there, 0)[0]) == set(label_counts(back, 0)[0])
    assert len(set(label_counts(there, 1)[0]) & set(label_counts(back, 1)[0])) == 2  # those of round 0


def test_equal_graphs_of_other_numbering_are_alike():
    space, streams = aw.spaces.nasbench201(), Streams(4)
    for number in range(20):
        graph = labelled_graph(space, aw.spaces.sample(space, streams[number])).without(PASSING)
        order = streams[100 + number].permutation(len(graph.labels)).tolist()
        for one, other in zip(label_counts(graph, 2), label_counts(graph.relabelled(order), 2), strict=True):
            np.testing.assert_array_equal(one, other)


def test_it_travels():
    space = aw.spaces.nasbench201()
    some = [aw.spaces.sample(space, Streams(0)[number]) for number in range(3)]
    kernel = WeisfeilerLehman(space, 2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel)).compare(some, some), kernel.compare(some, some))
