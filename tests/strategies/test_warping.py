import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archwright.strategies.warping import half_rank


def test_the_better_half_stays_and_the_outlier_comes_near():
    losses = np.array([0.06, 0.08, 0.05, 0.9, 0.09, 0.07, 0.9])
    warped = half_rank(losses)
    better = losses <= np.median(losses)
    np.testing.assert_array_equal(warped[better], losses[better])
    assert warped.max() < 0.12


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_order_is_kept_and_ties_stay_ties(values):
    losses = np.array(values)
    warped = half_rank(losses)
    assert np.isfinite(warped).all()
    order = np.argsort(losses, kind="stable")
    assert (np.diff(warped[order]) >= 0).all()
    assert (np.diff(warped[order])[np.diff(losses[order]) == 0] == 0).all()


def test_nothing_is_nothing():
    assert half_rank(np.zeros(0)).shape == (0,)
