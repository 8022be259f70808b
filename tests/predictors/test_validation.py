from itertools import combinations

import numpy as np
import pytest

from archwright.core.errors import ArchwrightError
from archwright.predictors import RandomForest, cross_validated
from archwright.predictors.validation import scores, unseen
from tests.predictors.test_random_forest import architectures, edges


def kendall(left, right):
    """Tau-b by counting pairs."""
    pairs = [(np.sign(left[i] - left[j]), np.sign(right[i] - right[j])) for i, j in combinations(range(len(left)), 2)]
    agree = sum(a * b for a, b in pairs)
    return agree / np.sqrt(sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs))


def ranks(values):
    return np.array([(values < one).sum() + ((values == one).sum() + 1) / 2 for one in values])


def test_scores_by_hand():
    rng = np.random.default_rng(0)
    targets, mean, std = rng.integers(8, size=40).astype(float), rng.integers(6, size=40).astype(float), rng.random(40)
    found = scores(targets, mean, 3.0 * std)
    assert found.kendall == pytest.approx(kendall(targets, mean))
    assert found.spearman == pytest.approx(np.corrcoef(ranks(targets), ranks(mean))[0, 1])
    assert found.rmse == pytest.approx(np.linalg.norm(targets - mean) / np.sqrt(40))
    inside = [mean[i] - 3 * 1.6448536 * std[i] <= targets[i] <= mean[i] + 3 * 1.6448536 * std[i] for i in range(40)]
    assert found.coverage90 == sum(inside) / 40
    assert "inside the 90 % interval" in str(found)


def test_what_has_no_ranks_correlates_with_nothing():
    flat = scores(np.arange(5.0), np.ones(5), np.ones(5))
    assert (flat.kendall, flat.spearman) == (0.0, 0.0)


class Spy:
    """Predicts, of each architecture, how many it learnt from, and minds if it has seen it."""

    def fit(self, space, architectures, targets, seed=0):
        assert len(architectures) == len(targets)
        seen = set(architectures)

        class Fitted:
            def predict(self, asked):
                assert not seen & set(asked)
                return np.full(len(asked), len(seen)), np.zeros(len(asked))

        return Fitted()


@pytest.mark.parametrize(("count", "folds", "learnt"), [(20, 5, {16}), (7, 3, {4, 5}), (3, 5, {2}), (4, 9, {3})])
def test_each_is_predicted_once_by_who_has_not_seen_it(count, folds, learnt):
    known = list(dict.fromkeys(architectures(60)))[:count]
    mean, _ = unseen(Spy(), edges(), known, np.arange(float(count)), folds, 0)
    assert set(mean) == learnt


def test_what_can_be_learnt_scores_well_and_noise_does_not():
    known = list(dict.fromkeys(architectures(100)))
    learnable = np.array([one["edges[0]"] + 10.0 * one["edges[1]"] for one in known])
    noise = np.random.default_rng(0).normal(size=len(known))
    assert cross_validated(RandomForest(20), edges(), known, learnable).kendall > 0.8
    assert abs(cross_validated(RandomForest(20), edges(), known, noise).kendall) < 0.3


def test_too_few_to_validate():
    with pytest.raises(ArchwrightError, match="needs 3 architectures"):
        cross_validated(RandomForest(), edges(), architectures(2), np.arange(2.0))
