import numpy as np
import pytest
from scipy.optimize import curve_fit

from archwright.curves import LastValue, PowerLaw


def test_the_last_value_stays_and_wanders_as_it_did():
    found = LastValue().predict([0.1, 0.4, 0.3], 19)
    assert found.mean == 0.3
    assert found.std == pytest.approx(np.sqrt((0.3**2 + 0.1**2) / 2) * 4)  # sixteen more such steps


def test_a_power_law_is_extrapolated():
    t = np.arange(1.0, 101.0)
    curve = 0.9 - 0.5 * t**-0.4
    found = PowerLaw().predict(curve[:20], 100)
    assert found.mean == pytest.approx(curve[-1], abs=1e-4)
    assert found.std < 1e-3


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (-50.0, 7.0)])
def test_mean_and_spread_are_those_of_least_squares(shift, scale):
    t = np.arange(1.0, 31.0)
    noise = np.random.default_rng(0).standard_normal(30)
    curve = shift + scale * (0.9 - 0.5 * t**-0.4 + 0.02 * noise)

    def law(t, c, a, alpha):
        return c - a * t**-alpha

    best, covariance = curve_fit(law, t, curve, p0=(shift + 0.9 * scale, 0.5 * scale, 0.4))
    slope = np.array([(law(100.0, *(best + step)) - law(100.0, *(best - step))) / 2e-6 for step in 1e-6 * np.eye(3)])
    variance = ((curve - law(t, *best)) ** 2).sum() / 27
    found = PowerLaw().predict(curve, 100)
    assert found.mean == pytest.approx(law(100.0, *best), abs=1e-3 * scale)
    assert found.std == pytest.approx(np.sqrt(slope @ covariance @ slope + variance), rel=0.02)


@pytest.mark.parametrize("model", [LastValue(), PowerLaw()])
@pytest.mark.parametrize("curve", [[0.5], [0.5, 0.6], [0.5] * 9, [0.9, 0.8, 0.7, 0.6, 0.5]])
def test_any_curve_has_a_prediction(model, curve):
    found = model.fit([]).predict(curve, 30)
    assert np.isfinite([found.mean, found.std]).all()
    assert model.least == 0
