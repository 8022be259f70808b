"""Edit distances against brute force, and the search for the lowest bound."""

import itertools
from functools import cache

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import PASSING, Graph
from archwright.strategies import AutoKeras
from archwright.strategies.auto_keras import (
    SETS,
    EditDistance,
    Layers,
    distances,
    embedded,
    layer_distance,
    layers_distances,
    skips_distance,
)
from archwright.strategies.models.surrogate import surrogate, warped_losses
from tests.strategies.growing import Scores, searched, space


def random_layers(rng, most=5):
    count = int(rng.integers(0, most + 1))
    kinds = [("conv(,)", (float(rng.choice([8, 16, 32])), float(rng.choice([1, 3])))) for _ in range(count)]
    kinds = [kind if rng.random() < 0.7 else ("pool", ()) for kind in kinds]
    skips = rng.integers(1, 5, size=(int(rng.integers(0, 4)), 2)).astype(float)
    return Layers(tuple(kinds), skips)


def edits(left, right):
    """The least cost of insertions, deletions and changes, in the words of its definition."""

    @cache
    def least(i, j):
        if i == len(left) or j == len(right):
            return float(len(left) - i + len(right) - j)
        change = layer_distance(left[i], right[j]) + least(i + 1, j + 1)
        return min(change, 1.0 + least(i + 1, j), 1.0 + least(i, j + 1))

    return least(0, 0)


def matchings(left, right):
    """The least cost over all ways to match the smaller set of skip-connections into the larger."""
    few, many = sorted((left.tolist(), right.tolist()), key=len)

    def apart(one, other):
        return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / sum(map(max, one, other))

    return min(
        sum(apart(one, other) for one, other in zip(few, chosen, strict=True)) + len(many) - len(few)
        for chosen in itertools.permutations(many, len(few))
    )


def test_distances_are_those_of_all_edits():
    rng = np.random.default_rng(0)
    networks = [random_layers(rng) for _ in range(25)]
    for one in networks:
        expected = [edits(one.kinds, other.kinds) for other in networks]
        np.testing.assert_allclose(layers_distances(one, networks), expected, atol=1e-12)
        skips = [matchings(one.skips, other.skips) for other in networks]
        np.testing.assert_allclose([skips_distance(one.skips, other.skips) for other in networks], skips, atol=1e-12)
        both = np.array(expected) + 0.5 * np.array(skips)
        np.testing.assert_allclose(distances(one, networks, 0.5), both, atol=1e-12)


def test_a_layer_differs_by_its_relative_width():
    assert layer_distance(("conv", (32.0,)), ("conv", (64.0,))) == 0.5
    assert layer_distance(("conv", (32.0, 3.0)), ("conv", (64.0, 3.0))) == 0.5
    assert layer_distance(("conv", (32.0,)), ("separable", (32.0,))) == 1.0
    assert layer_distance(("pool", ()), ("pool", ())) == 0.0


def test_layers_stand_in_topological_order_and_skips_pass_some_by():
    labels = ("output", "conv(16)", "conv(32)", "input", "conv(8)")
    edges = ((3, 4, ""), (4, 1, ""), (1, 2, ""), (2, 0, ""), (4, 2, ""), (3, 0, ""))
    found = Layers.of(Graph(labels, edges))
    assert [name for name, _ in found.kinds] == ["input", "conv()", "conv()", "conv()", "output"]
    assert [numbers for _, numbers in found.kinds] == [(), (8.0,), (16.0,), (32.0,), ()]
    assert found.skips.tolist() == [[0.0, 4.0], [1.0, 2.0]]  # input to output; the first convolution to the third


def test_the_kernel_is_positive_definite_where_the_edit_distance_is_not():
    made, streams = aw.spaces.nasbench201(), Streams(0)
    some = list(dict.fromkeys(aw.spaces.sample(made, streams[n]) for n in range(80)))
    kernel, width = EditDistance(made, 1.0), np.array([3.0])
    layers = [Layers.of(labelled_graph(made, one).without(PASSING)) for one in some]
    edits = np.array([distances(one, layers, 1.0) for one in layers])
    assert np.linalg.eigvalsh(kernel(width, edits))[0] < -0.1

    pairs = kernel.compare(some, some)
    like = kernel(width, pairs)
    assert np.linalg.eigvalsh(like)[0] > -1e-9
    np.testing.assert_allclose(np.diag(like), 1.0)
    assert (pairs <= edits + 1e-9).all()  # nearest distances differ by no more than the networks do
    assert np.corrcoef(pairs.ravel(), edits.ravel())[0, 1] > 0.8
    np.testing.assert_allclose(kernel.compare(some, some[:9]), pairs[:, :9], atol=1e-7)
    np.testing.assert_allclose(kernel(np.array([2.0]), pairs), np.exp(-((pairs / 2.0) ** 2)))


def test_points_are_distances_to_sets_that_only_grow():
    far = np.abs(np.subtract.outer(np.arange(40.0) ** 2, np.arange(40.0) ** 2))

    def points(known):
        found = embedded(far[:known])
        return found * np.sqrt(found.shape[1])

    np.testing.assert_allclose(points(1), np.repeat(far[:1].T, SETS, axis=1))  # one is known: each set holds it
    for known in (2, 9, 33):
        found = points(known)
        np.testing.assert_allclose(found[:, :SETS], np.repeat(far[:known].min(axis=0)[:, None], SETS, axis=1))
        if known <= 9:
            nearest = [far[list(taken)].min(axis=0) for taken in subsets(known)]
            assert all(any(np.allclose(column, one) for one in nearest) for column in found.T)
    few, many = points(33), points(40)  # of as many sizes
    same = slice(0, 3 * SETS)  # sets so large that none is empty
    assert (many[:, same] <= few[:, same] + 1e-9).all()  # as more is known, the nearest is no further


def subsets(known):
    """All sets of known ones."""
    return [taken for size in range(1, known + 1) for taken in itertools.combinations(range(known), size)]


def test_it_asks_for_the_lowest_bound_that_it_can_reach():
    """With a temperature that hardly falls, algorithm 1 visits a small space whole."""
    made = space(most=3)
    history = searched(AutoKeras(), Scores(lambda layers: abs(sum(layers) - 6)), 8, made)
    strategy = AutoKeras(cooling=0.999, coldest=0.5, neighbours=0, beta=1.0)
    trial = strategy.propose(made, history, Streams(3)[history.asked])
    losses = warped_losses(history.succeeded, Streams(3)[history.asked])
    kernel = EditDistance(made, 1.0)
    parameters = strategy._refits(made, history, ("", len(history.succeeded)), lambda: pytest.fail("it was fitted"))
    process = surrogate(history, history.succeeded, kernel, losses, parameters)
    asked = {item.trial.architecture for item in history}
    left = [one for one in aw.spaces.enumerate_all(made) if one not in asked]
    mean, std = process.predict(left)
    bounds = dict(zip(left, mean - std, strict=True))
    assert bounds[trial.architecture] == pytest.approx(min(bounds.values()))


def test_a_parent_is_the_evaluated_network_that_the_path_began_at():
    made = space()
    history = searched(AutoKeras(), Scores(lambda layers: -sum(layers)), 15, made)
    assert history[0].trial.parent is None
    for position, item in enumerate(history[1:], 1):
        assert item.trial.parent < position
        before, after = (
            made.resolve(trial.architecture)["layers"] for trial in (history[item.trial.parent].trial, item.trial)
        )
        assert len(after) >= len(before)
        assert sum(after) > sum(before)
    assert history.best.losses[0] <= -16


def test_of_each_network_few_children_are_looked_at():
    made = space(most=12)
    history = searched(AutoKeras(), Scores(sum), 3, made)
    rng = Streams(0)[history.asked]
    losses, kernel = warped_losses(history.succeeded, rng), EditDistance(made, 1.0)
    process = surrogate(history, history.succeeded, kernel, losses, np.array([1.0, 1.0, 0.01]))
    found = AutoKeras(neighbours=2, cooling=0.5, coldest=0.2)._explored(made, history, process, losses, rng)
    assert 0 < len(found) <= 3 * 2  # temperatures 0.5, 0.25 and 0.125


def test_a_space_that_is_used_up_is_asked_at_random():
    made = space(most=1)
    history = History("min:loss")
    scores = Scores(lambda layers: sum(layers))
    for architecture in aw.spaces.enumerate_all(made):
        number = history.ask(aw.Trial(architecture))
        history.append(number, scores.estimate(made, history.pending[number]))
    assert AutoKeras().propose(made, history, Streams(0)[3]).parent is None


def test_mistakes_are_named():
    with pytest.raises(ArchwrightError, match="between 0 and 1"):
        AutoKeras(cooling=1.0)
