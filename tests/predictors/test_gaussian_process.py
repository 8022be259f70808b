import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from archwright.predictors.gaussian_process import AMPLITUDE, NOISE, GaussianProcess

BOUNDS = (0.05, 5.0)


class Squared:
    """exp(-r² / 2 l²) on vectors."""

    bounds = [BOUNDS]

    def compare(self, left, right):
        return ((np.reshape(left, (-1, 1, 2)) - np.reshape(right, (1, -1, 2))) ** 2).sum(axis=2)

    def __call__(self, parameters, pairs):
        return np.exp(-0.5 * pairs / parameters[0] ** 2)


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    x = rng.random((25, 2))
    return x, 5.0 + 3.0 * np.sin(4 * x[:, 0]) + x[:, 1] + 0.1 * rng.standard_normal(25), rng.random((40, 2))


def reference(length=0.4, amplitude=1.5, noise=0.02, **options):
    kernel = ConstantKernel(amplitude, AMPLITUDE) * RBF(length, BOUNDS) + WhiteKernel(noise, NOISE)
    return GaussianProcessRegressor(kernel, normalize_y=True, alpha=1e-10, **options)


def test_predictions_and_likelihood_are_those_of_scikit_learn(data):
    x, y, new = data
    theirs = reference(optimizer=None).fit(x, y)
    ours = GaussianProcess(Squared()).fit(list(x), y, np.array([0.4, 1.5, 0.02]))
    mean, std = ours.predict(list(new))
    expected, with_noise = theirs.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    np.testing.assert_allclose(std**2 + 0.02 * y.var(), with_noise**2, rtol=1e-5)
    assert ours.likelihood == pytest.approx(theirs.log_marginal_likelihood_value_, rel=1e-6)


def test_the_parameters_found_are_at_least_as_likely_as_those_of_scikit_learn(data):
    x, y, _ = data
    theirs = reference(n_restarts_optimizer=2, random_state=0).fit(x, y)
    ours = GaussianProcess(Squared()).fit(list(x), y)
    assert ours.likelihood > theirs.log_marginal_likelihood_value_ - 0.01


def test_the_gradient_is_that_of_the_likelihood(data):
    x, y, _ = data
    process = GaussianProcess(Squared()).fit(list(x), y, np.array([0.4, 1.5, 0.02]))
    logs, pairs = np.log([0.7, 0.8, 0.05]), Squared().compare(x, x)
    differences = approx_fprime(logs, lambda at: process._objective(at, pairs)[0], 1e-6)
    np.testing.assert_allclose(process._objective(logs, pairs)[1], differences, rtol=1e-3, atol=1e-3)


def test_what_is_believed_keeps_the_mean_and_takes_the_uncertainty(data):
    x, y, new = data
    process = GaussianProcess(Squared()).fit(list(x), y)
    believer = process.believing(list(new[:5]))
    np.testing.assert_allclose(believer.predict(list(new))[0], process.predict(list(new))[0], rtol=1e-5)
    assert (believer.predict(list(new))[1] <= process.predict(list(new))[1] + 1e-9).all()
    assert process.believing([]) is process


def test_samples_have_the_posterior_s_mean_and_covariance(data):
    x, y, new = data
    process = GaussianProcess(Squared()).fit(list(x[:6]), y[:6], np.array([0.4, 1.5, 0.02]))
    mean, covariance = process.posterior(list(new[:4]))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), process.predict(list(new[:4]))[1], rtol=1e-6)
    drawn = process.sample(list(new[:4]), np.random.default_rng(0), 40_000)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.03 * covariance.max())


@pytest.mark.parametrize("targets", [[1.0], [2.0, 2.0, 2.0], [1.0, 2.0, 2.0]])
def test_one_point_equal_targets_and_equal_items_are_no_trouble(targets):
    process = GaussianProcess(Squared()).fit([np.zeros(2)] * len(targets), np.array(targets))
    mean, std = process.predict([np.zeros(2), np.ones(2)])
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    assert mean[0] == pytest.approx(np.mean(targets), abs=0.5)


class Indefinite:
    """1 for an item and itself, and what no positive semi-definite kernel could say of others."""

    bounds = [BOUNDS]

    def compare(self, left, right):
        return np.subtract.outer(np.array(left), np.array(right))

    def __call__(self, parameters, pairs):
        return np.where(pairs == 0, 1.0, -0.5)


def test_an_indefinite_matrix_is_raised_until_the_noise_is_its_smallest_eigenvalue():
    noise = 0.01
    process = GaussianProcess(Indefinite()).fit(list(range(6)), np.arange(6.0), np.array([1.0, 2.0, noise]))
    gram = process._factor @ process._factor.T
    assert np.linalg.eigvalsh(gram)[0] == pytest.approx(noise)
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), -1.0 + np.eye(6), atol=1e-12)
    mean, std = process.predict(list(range(8)))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
