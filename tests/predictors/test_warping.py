import numpy as np
import pytest
from scipy.stats import norm

from archwright.predictors import RandomForest, Warped
from tests.predictors.test_random_forest import architectures, edges


class Given:
    """Answers with given scores, or with those it was given to learn."""

    def __init__(self, scores=None, std=0.0):
        self.scores, self.std = scores, std

    def fit(self, space, architectures, targets, seed=0):
        self.learnt = targets
        return self

    def predict(self, asked):
        scores = self.learnt if self.scores is None else np.array(self.scores)
        return scores, np.full(len(scores), self.std)


def fitted(targets, *given):
    inside = Given(*given)
    return inside, Warped(inside).fit(edges(), architectures(len(targets)), np.array(targets))


def test_scores_are_normal_quantiles_of_the_ranks():
    inside, _ = fitted([5.0, -70.0, 6.0, 5.5])
    np.testing.assert_allclose(inside.learnt, norm.ppf([0.375, 0.125, 0.875, 0.625]))


def test_equal_targets_have_equal_scores():
    inside, back = fitted([2.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(inside.learnt, norm.ppf([0.5, 0.125, 0.5, 0.875]))
    np.testing.assert_allclose(back.predict(range(4))[0], [2.0, 1.0, 2.0, 3.0])


def test_who_predicts_what_it_learnt_gives_back_the_targets():
    targets = np.random.default_rng(0).exponential(size=50)
    np.testing.assert_allclose(fitted(targets)[1].predict(range(50))[0], targets, rtol=1e-12)


def test_of_normal_targets_mean_and_deviation_come_back_as_they_are():
    targets = 7.0 + 3.0 * norm.ppf((np.arange(4001) + 0.5) / 4001)
    mean, std = fitted(targets, [-1.0, 0.0, 1.5], 0.5)[1].predict(range(3))
    np.testing.assert_allclose(mean, [4.0, 7.0, 11.5], rtol=1e-4)
    np.testing.assert_allclose(std, 1.5, rtol=1e-3)


def test_beyond_what_is_known_it_goes_on_as_steeply():
    top = norm.ppf(1 - 0.5 / 3)
    mean, _ = fitted([1.0, 2.0, 4.0], [-2 * top, 2 * top])[1].predict(range(2))
    np.testing.assert_allclose(mean, [0.0, 6.0], atol=1e-12)


@pytest.mark.parametrize("targets", [[3.0, 3.0, 3.0], [1.0, 2.0]])
def test_equal_and_few_targets_are_no_trouble(targets):
    known = architectures(len(targets))
    mean, std = Warped(RandomForest()).fit(edges(), known, np.array(targets)).predict(known)
    assert np.isfinite(std).all()
    assert ((mean >= min(targets)) & (mean <= max(targets))).all()
