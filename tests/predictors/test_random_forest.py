import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

import archwright as aw
from archwright.core.choices import Choice
from archwright.predictors import RandomForest
from archwright.spaces.encodings import OneHot
from archwright.spaces.space import Space


def made(**arguments):
    return arguments


def architectures(count, options=4, seed=0):
    rng = np.random.default_rng(seed)
    return [
        aw.Architecture(tuple((f"edges[{edge}]", int(rng.integers(options))) for edge in range(3)))
        for _ in range(count)
    ]


def edges(options=4):
    return Space(made, edges=[Choice(*range(options)) for _ in range(3)])


def test_where_nothing_can_be_told_apart_the_variance_is_that_of_all_evaluations_together():
    known = architectures(30, options=1)
    mean, std = RandomForest(20).fit(edges(1), known, np.array([0.0, 1.0] * 15)).predict(known[:1])
    assert 0.35 < mean[0] < 0.65
    assert std[0] ** 2 == pytest.approx(mean[0] * (1.0 - mean[0]))  # zeros and ones, whichever tree drew them


def test_it_learns_what_matters():
    known, new = architectures(60), architectures(40, seed=1)
    targets = np.array([float(architecture["edges[1]"]) for architecture in known])
    forest = RandomForest(10, split=10).fit(edges(), known, targets)
    mean, std = forest.predict(new)
    assert np.abs(mean - [architecture["edges[1]"] for architecture in new]).max() < 0.5
    assert (std >= forest.least).all()


def test_mean_and_variance_are_those_of_what_the_trees_leaves_hold():
    space, known, new = edges(), architectures(50), architectures(9, seed=1)
    targets = np.random.default_rng(2).normal(size=50)
    mean, std = RandomForest(7, split=6, graphs=False).fit(space, known, targets, seed=5).predict(new)
    encode = OneHot(space)
    x, asked = (np.array([encode(one) for one in some], dtype=np.float32) for some in (known, new))
    theirs = RandomForestRegressor(7, max_features=5 / 6, min_samples_split=6, random_state=5).fit(x, targets)
    np.testing.assert_allclose(mean, theirs.predict(asked), rtol=1e-6)
    for place, vector in enumerate(asked):
        held = []  # each tree's share of the mixture: what the leaf holds, drawn with replacement
        for tree, drawn in zip(theirs.estimators_, theirs.estimators_samples_, strict=True):
            leaf = tree.apply(vector[None])[0]
            inside = targets[drawn][tree.apply(x[drawn]) == leaf]
            held.append((inside.mean(), (inside**2).mean()))
        first, second = np.mean(held, axis=0)
        assert std[place] ** 2 == pytest.approx(second - first**2, rel=1e-4)


def test_it_travels_and_answers_nothing_when_asked_nothing():
    known = architectures(20)
    forest = RandomForest(5).fit(edges(), known, np.arange(20.0))
    again = pickle.loads(pickle.dumps(forest))
    np.testing.assert_array_equal(again.predict(known), forest.predict(known))
    assert [part.shape for part in forest.predict([])] == [(0,), (0,)]
