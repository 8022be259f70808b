"""The model against the joint normal distribution that it factorises, and its kernel against its definition."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, multivariate_normal

from archwright.predictors.gaussian_process import GaussianProcess
from archwright.strategies.models.curve_process import Curve, CurveProcess, decay


class Gauss:
    bounds = ((0.1, 10.0),)

    def compare(self, left, right):
        return np.subtract.outer(np.array(left, dtype=float), np.array(right, dtype=float))

    def __call__(self, parameters, pairs):
        return np.exp(-0.5 * (pairs / parameters[0]) ** 2)


PARAMETERS = np.array([0.7, 1.3, 4.0, 1.5, 0.4, 0.05, 2.5])
CURVES = [
    Curve(0.0, (0.1, 0.2, 0.3), (3.0, 2.0, 1.7)),
    Curve(0.4, (0.1,), (3.5,)),
    Curve(1.5, (0.1, 0.2, 0.3), (2.0, 1.2, 0.9)),
    Curve(3.0, (0.1, 1.0), (4.0, 0.4)),
]


def test_the_kernel_is_a_mixture_of_exponential_decays():
    for alpha, beta in ((0.5, 0.3), (1.0, 1.0), (2.7, 0.1)):
        for left, right in ((0.0, 0.0), (0.1, 0.9), (1.0, 1.0)):
            rates = gamma(alpha, scale=1.0 / beta)
            low, high = rates.ppf([1e-13, 1.0 - 1e-13])
            whole, _ = quad(
                lambda q, rates=rates, t=left + right: np.exp(-rates.ppf(q) * t), rates.cdf(low), rates.cdf(high)
            )
            assert decay(np.array([left]), np.array([right]), alpha, beta)[0, 0] == pytest.approx(whole, rel=1e-6)


def dense(queries):
    """Every value of every curve at once: mean and covariance at the queries (item, time), and the likelihood."""
    length, amplitude, transient, alpha, beta, noise, drop = PARAMETERS
    ends = np.array([curve.values[-1] for curve in CURVES])
    points = [(curve.item, time) for curve in CURVES for time in curve.times]
    values = (np.concatenate([curve.values for curve in CURVES]) - ends.mean()) / ends.std()

    def covariance(left, right):
        return np.array(
            [
                [
                    amplitude * np.exp(-0.5 * ((a - b) / length) ** 2)
                    + (a == b) * transient * beta**alpha / (s + t + beta) ** alpha
                    for b, t in right
                ]
                for a, s in left
            ]
        )

    def fallen(pairs):
        return np.array([drop * (beta / (time + beta)) ** alpha for _, time in pairs])

    gram = covariance(points, points) + noise * np.eye(len(points))
    cross = covariance(queries, points)
    values = values - fallen(points)
    level = np.linalg.solve(gram, values).sum() / np.linalg.solve(gram, np.ones(len(points))).sum()
    values = values - level
    mean = level + fallen(queries) + cross @ np.linalg.solve(gram, values)
    posterior = covariance(queries, queries) - cross @ np.linalg.solve(gram, cross.T)
    likelihood = multivariate_normal(np.zeros(len(points)), gram).logpdf(values)
    return ends.mean() + ends.std() * mean, ends.std() ** 2 * posterior, likelihood


def test_it_is_the_process_of_all_values_together():
    process = CurveProcess(Gauss()).fit(CURVES, PARAMETERS)
    asked = [CURVES[0], CURVES[1], CURVES[3], Curve(0.9), Curve(0.9)]
    for time in (0.05, 0.4, 1.0):
        mean, covariance, likelihood = dense([(curve.item, time) for curve in asked])
        found = process.predict(asked, time)
        assert found[0] == pytest.approx(mean, rel=1e-7)
        assert found[1] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
        assert process.likelihood == pytest.approx(likelihood, rel=1e-9)


def test_curves_of_one_value_that_does_not_fade_are_an_ordinary_process():
    """As the transient vanishes, values at one time are those of a process with noise.

    Items are far apart, so that the level of the largest likelihood is the mean.
    """
    items, values = [0.0, 5.0, 10.0, 15.0], np.array([1.0, 0.7, 0.9, 2.0])
    curves = [Curve(item, (1.0,), (value,)) for item, value in zip(items, values, strict=True)]
    process = CurveProcess(Gauss()).fit(curves, np.array([0.7, 1.3, 1e-9, 1.0, 1.0, 0.05, 1e-9]))
    other = GaussianProcess(Gauss()).fit(items, values, np.array([0.7, 1.3, 0.05]))
    mean, std = process.predict([Curve(0.2), Curve(5.9)])
    wanted, spread = other.predict([0.2, 5.9])
    assert mean == pytest.approx(wanted, rel=1e-6)
    assert std == pytest.approx(spread, rel=1e-6)
    assert process.likelihood == pytest.approx(other.likelihood, rel=1e-6)


def test_the_fit_is_more_likely_than_what_lies_beside_it():
    rng = np.random.default_rng(0)
    times = (0.1, 0.2, 0.3, 0.4)
    curves = []
    for item in np.linspace(0.0, 4.0, 12):
        curve = np.sin(item) + 2.0 * np.exp(-np.array(times) / 0.15) + 0.05 * rng.standard_normal(4)
        curves.append(Curve(float(item), times, tuple(curve)))
    fitted = CurveProcess(Gauss()).fit(curves)
    for place in range(len(fitted.parameters)):
        for factor in (0.8, 1.25):
            beside = fitted.parameters.copy()
            beside[place] *= factor
            if place == 2 and factor < 1.0:
                continue  # nothing but the drop fades here, so that the transient lies at its bound
            assert CurveProcess(Gauss()).fit(curves, beside).likelihood < fitted.likelihood + 0.02
    mean, std = fitted.predict(curves)
    assert np.abs(mean - np.sin(np.linspace(0.0, 4.0, 12))).max() < 4.0 * std.max()
    assert np.corrcoef(mean, np.sin(np.linspace(0.0, 4.0, 12)))[0, 1] > 0.98
