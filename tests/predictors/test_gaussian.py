import pickle

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

import archwright as aw
from archwright.core.rng import Streams
from archwright.predictors import Gaussian
from archwright.predictors.arc import Arc
from archwright.predictors.gaussian_process import GaussianProcess
from archwright.predictors.weisfeiler_lehman import WeisfeilerLehman
from archwright.spaces.encodings import OneHot, labelled_graph
from archwright.spaces.graphs import PASSING, paths
from tests.predictors.test_random_forest import architectures, edges


def test_on_options_it_is_scikit_learn_s_process_on_one_hot_vectors():
    space, known, new = edges(), architectures(40), architectures(15, seed=1)
    rng = np.random.default_rng(0)
    targets = 5.0 + np.array([one["edges[0]"] - 2.0 * (one["edges[1]"] == 2) for one in known]) + rng.normal(size=40)
    process = Gaussian().fit(space, known, targets)
    omega, amplitude, noise = process.of.parameters
    kernel = ConstantKernel(amplitude) * Matern(1.0 / omega, nu=2.5) + WhiteKernel(noise)
    theirs = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
    encode = OneHot(space)
    theirs.fit(np.array([encode(one) for one in known]), targets)
    mean, std = theirs.predict(np.array([encode(one) for one in new]), return_std=True)
    ours = process.predict(new)
    np.testing.assert_allclose(ours[0], mean, rtol=1e-6)
    np.testing.assert_allclose(ours[1], std, rtol=1e-5)


def test_of_all_kernels_it_takes_the_likeliest():
    space, streams = aw.spaces.nasbench201(), Streams(0)
    known = [aw.spaces.sample(space, streams[number]) for number in range(40)]
    of_decisions = np.array([float(one["edges[2]"]) for one in known])
    of_graphs = np.array(
        [max(map(len, paths(labelled_graph(space, one).without(PASSING))), default=0) for one in known]
    )
    kernels = [Arc(space), WeisfeilerLehman(space, 1), WeisfeilerLehman(space, 2)]
    chosen = []
    for targets in (of_decisions, of_graphs.astype(float)):
        process = Gaussian(rounds=2).fit(space, known, targets).of
        likelihoods = [GaussianProcess(kernel).fit(known, targets).likelihood for kernel in kernels]
        assert process.likelihood == pytest.approx(max(likelihoods))
        chosen.append(type(process.kernel))
    assert chosen == [Arc, WeisfeilerLehman]


def test_of_very_many_evaluations_it_learns_from_some():
    known = architectures(64)
    process = Gaussian(most=20).fit(edges(), known, np.arange(64.0), seed=3)
    assert len(process.of._items) == 20
    assert process.of._items == Gaussian(most=20).fit(edges(), known, np.arange(64.0), seed=3).of._items


def test_it_travels_and_answers_nothing_when_asked_nothing():
    space, streams = aw.spaces.nasbench201(), Streams(0)
    known = [aw.spaces.sample(space, streams[number]) for number in range(12)]
    process = Gaussian().fit(space, known, np.arange(12.0))
    np.testing.assert_allclose(pickle.loads(pickle.dumps(process)).predict(known), process.predict(known))
    assert [part.shape for part in process.predict([])] == [(0,), (0,)]
