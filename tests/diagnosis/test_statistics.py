"""The figures of a diagnosis against scipy, against plain counting on spelt-out resamples, and against known truths."""

import math

import numpy as np
import pytest
from scipy import stats

from archwright.diagnosis import statistics
from archwright.diagnosis.statistics import Agreement, Figure, difference, figure, mean, places, top_gap, weights


def orders(count, seed, ties=False):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=count)
    scores = truth + rng.normal(size=count)
    return (truth.round(1), scores.round(1)) if ties else (truth, scores)


def spelt_out(statistic, truth, scores, rows):
    """A statistic of each resample as a list of architectures, some of them several times."""
    drawn = (np.repeat(np.arange(len(truth)), row.astype(int)) for row in rows)
    return np.array([statistic(truth[picked], scores[picked]) for picked in drawn])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs"), [(statistics.kendall, stats.kendalltau), (statistics.spearman, stats.spearmanr)]
)
def test_correlations_of_every_resample_are_scipys(ours, theirs, ties):
    truth, scores = orders(23, seed=1, ties=ties)
    rows = weights(23)[:200]
    expected = spelt_out(lambda x, y: theirs(x, y).statistic, truth, scores, rows)
    np.testing.assert_allclose(ours(truth, scores, rows), expected, atol=1e-12)


def counted_recall(truth, scores):
    best = places(len(truth))
    by_truth, by_scores = (set(np.argsort(-values, kind="stable")[:best]) for values in (truth, scores))
    return len(by_truth & by_scores) / best


def counted_regret(truth, scores):
    return truth.max() - truth[scores == scores.max()].mean()


def test_recall_and_regret_of_the_sample_and_regret_of_every_resample():
    truth, scores = orders(47, seed=2)
    rows = weights(47)[:200]
    assert statistics.recall(truth, scores, rows[:1])[0] == counted_recall(truth, scores)
    np.testing.assert_allclose(
        statistics.regret(truth, scores, rows), spelt_out(counted_regret, truth, scores, rows), atol=1e-12
    )


def test_recall_of_every_resample_of_an_order_with_itself_is_whole():
    truth, _ = orders(31, seed=3)
    np.testing.assert_allclose(statistics.recall(truth, truth, weights(31)), 1.0)
    np.testing.assert_allclose(statistics.regret(truth, truth, weights(31)), 0.0)


def test_scores_that_are_all_equal_rank_nothing():
    truth, _ = orders(40, seed=4)
    found = Agreement.of(truth, np.ones(40))
    assert math.isnan(found.tau.value)
    assert math.isnan(found.spearman.low)
    assert found.recall.value == pytest.approx(0.1)  # as a random pick
    assert found.regret.value == pytest.approx(truth.max() - truth.mean())


def test_too_few_architectures_have_no_figures():
    found = Agreement.of(np.array([0.1, 0.2]), np.array([1.0, 2.0]))
    assert found.count == 2
    assert all(math.isnan(one.value) for one in (found.tau, found.spearman, found.recall, found.regret))
    empty = Agreement.of(np.array([]), np.array([]))
    assert math.isnan(empty.tau.value)


def test_a_difference_is_paired():
    truth, one = orders(35, seed=5)
    other = truth + np.random.default_rng(6).normal(size=35)
    rows = weights(35)
    taus = [spelt_out(lambda x, y: stats.kendalltau(x, y).statistic, truth, of, rows[:300]) for of in (one, other)]
    np.testing.assert_allclose(
        statistics.kendall(truth, one, rows[:300]) - statistics.kendall(truth, other, rows[:300]), taus[0] - taus[1]
    )
    found = difference(truth, one, other)
    assert found.value == pytest.approx(taus[0][0] - taus[1][0])
    assert found.low < found.value < found.high
    assert difference(truth, one, one) == Figure(0.0, 0.0, 0.0)


def test_means_and_gaps_are_counted():
    truth, scores = orders(30, seed=7)
    gap = scores - truth
    best = np.argsort(-truth)[:3]
    assert mean(gap).value == pytest.approx(gap.mean())
    expected = gap[best].mean() - np.delete(gap, best).mean()
    assert top_gap(truth, gap).value == pytest.approx(expected)
    assert top_gap(truth, np.full(30, -1.0)) == pytest.approx(Figure(0.0, 0.0, 0.0), abs=1e-12)


def test_the_best_by_another_measurement_are_not_the_lucky_ones():
    """Of two equally good estimates neither is worse at the top, although the best by either of them look so."""
    rng = np.random.default_rng(1)

    def measured(quality, noise):
        return quality + noise * rng.normal(size=len(quality))

    def alarms(runs, cap=np.inf, noise=1.0, by_itself=False):
        found = 0
        for _ in range(runs):
            quality = rng.normal(size=60)
            truth, again = measured(quality, noise), measured(quality, noise)
            gaps = measured(np.minimum(quality, cap), noise) - truth
            found += top_gap(truth if by_itself else again, gaps).high < 0
        return found

    assert alarms(100) <= 10
    assert alarms(30, by_itself=True) >= 15
    assert alarms(30, cap=0.5, noise=0.3) >= 25


def test_blocks_do_not_change_the_figures(monkeypatch):
    truth, scores = orders(30, seed=8)
    whole = Agreement.of(truth, scores)
    monkeypatch.setattr(statistics, "BLOCK", 1000)
    assert Agreement.of(truth, scores) == whole


def test_intervals_of_tau_hold_the_truth_about_as_often_as_they_say():
    """Bivariate normal with correlation r: tau of the whole population is 2 asin(r) / pi (Kruskal, 1958)."""
    rng = np.random.default_rng(0)
    for r in (0.0, 0.8):
        population, held, widths = 2 * math.asin(r) / math.pi, 0, []
        for _ in range(200):
            truth = rng.normal(size=60)
            scores = r * truth + math.sqrt(1 - r * r) * rng.normal(size=60)
            found = figure(truth, scores, statistics.kendall)
            held += found.low <= population <= found.high
            widths.append(found.high - found.low)
        assert 0.88 <= held / 200 <= 0.99
        assert 0.1 < np.mean(widths) < 0.45
