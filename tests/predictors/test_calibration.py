import numpy as np
import pytest

from archwright.predictors import Calibrated, RandomForest
from archwright.predictors.calibration import factor
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


def test_two_evaluations_are_left_as_they_are():
    known, targets = architectures(2), np.array([1.0, 2.0])
    plain, calibrated = (model.fit(edges(), known, targets) for model in (RandomForest(), Calibrated(RandomForest())))
    np.testing.assert_array_equal(calibrated.predict(known), plain.predict(known))


def test_equal_targets_are_no_trouble():
    fitted = Calibrated(Careless()).fit(edges(), architectures(9), np.zeros(9))
    assert fitted.factor == 0.0
