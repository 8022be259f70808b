import pickle
import sys

import numpy as np
import pytest

from archwright.core.errors import ArchwrightError
from archwright.predictors import GradientBoosting
from archwright.spaces.encodings import OneHot
from tests.predictors.test_random_forest import architectures, edges


def test_without_lightgbm_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ArchwrightError, match=r"pip install 'archwright\[lightgbm\]'"):
        GradientBoosting().fit(edges(), architectures(5), np.arange(5.0))


def test_stumps_on_all_columns_are_those_written_out():
    """Boosting of least squares with two leaves: each step the split that lowers the sum of squares most."""
    pytest.importorskip("lightgbm")
    space, known = edges(), architectures(60)
    targets = np.random.default_rng(0).normal(size=60)
    fitted = GradientBoosting(members=1, trees=6, rate=0.3, leaves=2, least=5, share=1.0).fit(space, known, targets)
    vectors = np.array([OneHot(space)(one) for one in known])
    expected = np.full(60, targets.mean())
    for _ in range(6):
        residuals, best = targets - expected, None
        for column in vectors.T > 0.5:
            if 5 <= column.sum() <= 55:
                values = np.where(column, residuals[column].mean(), residuals[~column].mean())
                error = ((residuals - values) ** 2).sum()
                if best is None or error < best[0] - 1e-12:
                    best = error, values
        expected = expected + 0.3 * best[1]
    mean, std = fitted.predict(known)
    np.testing.assert_allclose(mean, expected, atol=1e-5)
    assert (std == 0.0).all()


def test_members_differ_and_the_seed_decides():
    pytest.importorskip("lightgbm")
    known = architectures(40)
    targets = np.array([one["edges[0]"] + 0.1 * one["edges[2]"] for one in known])
    first, again, other = (GradientBoosting(trees=20).fit(edges(), known, targets, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predict(known), again.predict(known))
    assert (first.predict(known)[0] != other.predict(known)[0]).any()
    assert (first.predict(known)[1] > 0.0).any()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).predict(known), first.predict(known))
    assert [part.shape for part in first.predict([])] == [(0,), (0,)]


def test_few_evaluations_are_enough():
    pytest.importorskip("lightgbm")
    mean, _ = GradientBoosting().fit(edges(), architectures(2), np.array([1.0, 3.0])).predict(architectures(4))
    assert ((mean >= 1.0) & (mean <= 3.0)).all()
