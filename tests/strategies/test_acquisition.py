import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from archwright.strategies.acquisition import (
    expected_improvement,
    log_expected_improvement,
    log_probability_of_improvement,
)

CASES = [(0.0, 1.0, 0.5), (2.0, 0.3, 1.5), (-1.0, 2.0, -4.0), (0.1, 0.01, 0.1), (3.0, 0.5, 9.0)]


@pytest.mark.parametrize(("mean", "std", "best"), CASES)
def test_expected_improvement_is_the_integral(mean, std, best):
    expected, _ = quad(lambda y: (best - y) * norm.pdf(y, mean, std), mean - 12 * std, min(best, mean + 12 * std))
    ours = expected_improvement(np.array([mean]), np.array([std]), best)
    assert ours == pytest.approx(expected, rel=1e-6)
    assert log_expected_improvement(np.array([mean]), np.array([std]), best) == pytest.approx(
        np.log(expected), abs=1e-6
    )


@pytest.mark.parametrize("z", [-5.0, -50.0, -1000.0, -1e6])
def test_the_logarithm_is_right_far_from_the_best(z):
    """With E[max(z - Y, 0)] = phi(z) * integral of t exp(z t - t²/2): the substitution y = z - t."""
    integral, _ = quad(lambda u: u * np.exp(-u - 0.5 * (u / z) ** 2), 0, 60)
    expected = norm.logpdf(z) + np.log(integral) - 2 * np.log(-z)
    ours = log_expected_improvement(np.array([0.0]), np.array([1.0]), z)
    assert ours == pytest.approx(expected, rel=1e-8, abs=1e-4)


def test_the_logarithm_has_no_step():
    for z in (-1.0, -1e5):
        around = log_expected_improvement(np.zeros(2), np.ones(2), z * np.array([1 - 1e-9, 1 + 1e-9]))
        assert abs(around[0] - around[1]) < 1e-4 * max(1.0, z * z * 1e-4)


def test_probability_of_improvement():
    mean, std = np.array([0.0, 40.0]), np.array([1.0, 1.0])
    np.testing.assert_allclose(log_probability_of_improvement(mean, std, 0.3), norm.logcdf([0.3, -39.7]))
