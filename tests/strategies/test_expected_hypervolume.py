import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Real
from archwright.core.trial import Evaluation
from archwright.objectives.pareto import hypervolume
from archwright.spaces.space import Space
from archwright.strategies.acquisition import expected_improvement
from archwright.strategies.expected_hypervolume import (
    ExpectedHypervolume,
    expected_hypervolume_improvement,
    reference_of,
)

FRONTS = {
    "one objective": ([[0.5], [0.8]], [1.0]),
    "two": ([[0.1, 0.8], [0.4, 0.5], [0.45, 0.45], [0.9, 0.05]], [1.0, 1.0]),
    "two, with dominated, equal and outside points": ([[0.2, 0.3], [0.2, 0.3], [0.5, 0.5], [0.1, 1.2]], [1.0, 1.0]),
    "two, none inside": ([[2.0, 0.1]], [1.0, 1.0]),
    "three": ([[0.1, 0.8, 0.5], [0.4, 0.5, 0.6], [0.9, 0.05, 0.4], [0.3, 0.6, 0.1]], [1.0, 1.0, 1.0]),
    "four": ([[0.1, 0.8, 0.5, 0.3], [0.4, 0.5, 0.6, 0.2], [0.9, 0.05, 0.4, 0.7]], [1.0, 1.0, 1.0, 1.0]),
}


@pytest.mark.parametrize("name", FRONTS)
def test_it_is_the_mean_of_the_hypervolume_s_differences(name):
    """Against 1,000 draws, whose hypervolumes are computed with and without each by brute force."""
    front, reference = FRONTS[name]
    rng = np.random.default_rng(5)
    mean, std = rng.random((3, len(reference))), 0.05 + 0.3 * rng.random((3, len(reference)))
    exact = expected_hypervolume_improvement(mean, std, np.array(front), np.array(reference))
    before = hypervolume(front, reference)
    for candidate in range(3):
        draws = mean[candidate] + std[candidate] * rng.standard_normal((1000, len(reference)))
        gains = np.array([hypervolume([*front, draw], reference) - before for draw in draws.tolist()])
        assert exact[candidate] == pytest.approx(gains.mean(), abs=4 * gains.std() / np.sqrt(len(gains)) + 1e-5)


def test_without_uncertainty_it_is_the_difference_itself():
    front, reference = FRONTS["three"]
    new = np.array([[0.2, 0.55, 0.45], [0.95, 0.9, 0.9], [0.05, 0.01, 0.02]])
    exact = expected_hypervolume_improvement(new, np.full_like(new, 1e-9), np.array(front), np.array(reference))
    expected = [hypervolume([*front, each], reference) - hypervolume(front, reference) for each in new.tolist()]
    np.testing.assert_allclose(exact, expected, atol=1e-7)


def test_with_one_objective_it_is_expected_improvement():
    mean, std = np.array([[0.2], [0.9]]), np.array([[0.3], [0.1]])
    exact = expected_hypervolume_improvement(mean, std, np.array([[0.5], [0.7]]), np.array([1.0]))
    np.testing.assert_allclose(exact, expected_improvement(mean[:, 0], std[:, 0], 0.5))


def test_the_reference_is_a_tenth_beyond_the_worst():
    np.testing.assert_allclose(reference_of(np.array([[0.0, 4.0], [1.0, 2.0], [0.5, 14.0]])), [1.1, 15.2])
    np.testing.assert_allclose(reference_of(np.array([[0.0, 4.0]])), [0.1, 4.1])


def made(**arguments):
    return arguments


class Curve:
    """Two losses whose front is the segment y = 0."""

    def estimate(self, space, trial):
        x, y = trial.architecture["x"], trial.architecture["y"]
        return Evaluation(trial, {"left": x * x + y, "right": (1 - x) ** 2 + y, "cost": x}, cost=1.0)


@pytest.mark.parametrize("bounds", [[], ["cost <= 0.6"]])
def test_it_finds_more_of_the_front_than_random_search(bounds):
    def volume(strategy):
        space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0))
        wanted = ["min:left", "min:right", *bounds]
        run = aw.budget(aw.search(space, strategy, Curve(), objectives=wanted, seed=0), evaluations=35)
        for _ in run:
            pass
        return hypervolume([scored.losses for scored in run.history.front()], [1.0, 1.0])

    assert volume(ExpectedHypervolume(candidates=50)) > volume(aw.strategies.Random()) + 0.03
