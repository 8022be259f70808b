import numpy as np
import pytest

from archwright.predictors import Calibrated, RandomForest
from archwright.predictors.calibration import factor
from archwright.predictors.predictor import LEAST_STD
from tests.predictors.test_random_forest import architectures, edges


@pytest.mark.parametrize("too_small", [0.01, 1.0, 40.0])
def test_the_factor_of_normal_residuals_is_how_much_too_small_the_deviations_were(too_small):
    rng = np.random.default_rng(0)
    std = rng.uniform(0.5, 2.0, 20_000)
    assert factor(rng.normal(size=20_000) * std, std / too_small) == pytest.approx(too_small, rel=0.03)


def test_the_factor_is_a_conformal_quantile():
    """Among 19 ratios and a new one, each place is as likely: 18 of 20 places are within the 18th ratio."""
    ratios = np.random.default_rng(1).permutation(np.arange(1.0, 20.0))
    assert factor(-ratios, np.ones(19)) * 1.6448536 == pytest.approx(18.0)
    assert factor(np.arange(1.0, 6.0), np.ones(5)) * 1.6448536 == pytest.approx(5.0)  # too few: the largest


class Careless:
    """Knows the mean, and thinks itself a hundred times as sure as it may be."""

    def fit(self, space, architectures, targets, seed=0):
        class Fitted:
            def predict(self, asked):
                return np.zeros(len(asked)), np.full(len(asked), 0.01)

        return Fitted()


@pytest.mark.parametrize("draw", [lambda rng: rng.normal, lambda rng: rng.laplace, lambda rng: rng.uniform])
def test_intervals_hold_nine_of_ten_whatever_the_noise(draw):
    held = []
    for seed in range(30):
        noise = draw(np.random.default_rng(seed))
        known = architectures(40, seed=seed)
        fitted = Calibrated(Careless()).fit(edges(), known, noise(-1.0, 1.0, size=40))
        mean, std = fitted.predict(known[:1])
        new = noise(-1.0, 1.0, size=500)
        held.append(np.mean(np.abs(new - mean) <= 1.6448536 * std))
    assert 0.87 < np.mean(held) < 0.94


class Certain:
    """Knows the mean, and is quite sure of it: always, or of the first half of what it is asked."""

    def __init__(self, half=False):
        self.half = half

    def fit(self, space, architectures, targets, seed=0):
        outer = self

        class Fitted:
            def predict(self, asked):
                std = np.zeros(len(asked))
                if outer.half:
                    std[len(asked) // 2 :] = 1.0
                return np.zeros(len(asked)), std

        return Fitted()


def test_deviations_of_nothing_are_stretched_too():
    targets = np.random.default_rng(0).normal(scale=7.0, size=400)
    known = architectures(400)
    _, std = Calibrated(Certain()).fit(edges(), known, targets).predict(known)
    assert std == pytest.approx(np.full(400, 7.0), rel=0.15)
    _, std = Calibrated(Certain(half=True)).fit(edges(), known[:2], targets[:2]).predict(known[:4])
    assert (std >= LEAST_STD * targets[:2].std()).all()


def test_one_certain_prediction_among_doubtful_ones_keeps_a_deviation():
    """No smaller than a forest's, times the factor."""
    targets = np.random.default_rng(1).normal(size=40)
    fitted = Calibrated(Certain(half=True)).fit(edges(), architectures(40), targets)
    _, std = fitted.predict(architectures(4))
    assert (std[:2] > 0).all()
    assert std[0] == pytest.approx(fitted.factor * LEAST_STD * targets.std())
    assert std[2] == pytest.approx(fitted.factor)


def test_two_evaluations_are_left_as_they_are():
    known, targets = architectures(2), np.array([1.0, 2.0])
    plain, calibrated = (model.fit(edges(), known, targets) for model in (RandomForest(), Calibrated(RandomForest())))
    np.testing.assert_array_equal(calibrated.predict(known), plain.predict(known))


def test_equal_targets_are_no_trouble():
    fitted = Calibrated(Careless()).fit(edges(), architectures(9), np.zeros(9))
    assert fitted.factor == 0.0
