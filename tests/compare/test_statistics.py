"""Against published examples, scipy and brute force."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from archwright.compare.statistics import (
    ALPHA,
    EXACT,
    RESAMPLES,
    band,
    critical_difference,
    holm,
    ranking,
    seeds_needed,
    signed_rank,
)

# Demšar, 2006, tables 2 and 6: areas under the curve of four variants of C4.5 on 14 data sets. The paper's ranks tell
# the two 0.975 of one data set apart, which its table rounds.
DEMSAR = {
    "plain": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957],
    "m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978],
    "cf": [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.0, 0.965, 0.614, 0.9751, 0.946],
    "m+cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.0, 0.962, 0.669, 0.975, 0.970],
}
DEMSAR = {name: np.array(values) for name, values in DEMSAR.items()}

# Demšar, 2006, table 5a: critical values of the two-tailed Nemenyi test at 0.05.
Q = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}


def test_demsars_example():
    found = ranking(DEMSAR)
    assert {name: round(rank, 3) for name, rank in found.ranks.items()} == {
        "m+cf": 1.964,
        "m": 2.000,
        "cf": 2.893,
        "plain": 3.143,
    }
    assert list(found.ranks) == ["m+cf", "m", "cf", "plain"]
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.friedman == pytest.approx(scipy.stats.friedmanchisquare(*DEMSAR.values()).pvalue)
    # The paper's statistic, 9.28, makes no correction for ties.
    ranks = np.array(list(found.ranks.values()))
    assert 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 5**2 / 4) == pytest.approx(9.28, abs=0.01)


def test_demsars_signed_ranks():
    # R+ = 93, R- = 12, z = -2.54 (uncorrected for ties); of 12 that differ, ours is the exact p
    signed, p = signed_rank(DEMSAR["m"] - DEMSAR["plain"])
    assert signed == pytest.approx(93 - 12)
    assert p == pytest.approx(2 * scipy.stats.norm.sf(2.54), abs=0.004)


@pytest.mark.parametrize("strategies", Q)
def test_critical_differences_of_the_published_table(strategies):
    expected = Q[strategies] * np.sqrt(strategies * (strategies + 1) / (6 * 30))
    assert critical_difference(strategies, 30) == pytest.approx(expected, abs=0.001)


def test_holm_by_hand():
    # sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 is not below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_signed_rank_is_scipys_without_ties_and_zeros():
    differences = np.random.default_rng(1).normal(0.3, 1.0, 20)
    signed, p = signed_rank(differences)
    assert p == pytest.approx(scipy.stats.wilcoxon(differences).pvalue)
    statistic = scipy.stats.wilcoxon(differences, alternative="greater").statistic  # the sum of the positive ranks
    assert signed == pytest.approx(2 * statistic - 20 * 21 / 2)
    assert signed_rank(np.zeros(9)) == (0.0, 1.0)


def test_equal_results_are_evidence_for_neither():
    """Where they differ one is always better: how often they don't makes that no more and no less likely."""
    some = np.array([0.3, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8])
    for equal in (0, 1, 8, 300):
        assert signed_rank(np.concatenate([some, np.zeros(equal)]))[1] == 2 / 2**8


def by_all_signs(differences):
    """Of all ways to give the ranks signs: the share of those whose sum is as far from zero as the one seen."""
    ranks = scipy.stats.rankdata(np.abs(differences))[differences != 0]
    sums = [abs((ranks * signs).sum()) for signs in product([1, -1], repeat=len(ranks))]
    return np.mean(np.array(sums) >= abs((ranks * np.sign(differences[differences != 0])).sum()))


def test_p_is_exact_with_ties_and_zeros_too():
    differences = np.array([-0.1, 0.2, 0.3, 0.4, 0.5, 0.5])
    assert signed_rank(differences)[1] == by_all_signs(differences) == 4 / 64
    rng = np.random.default_rng(4)
    for size in (1, 2, 5, 6, 7, 9, 10):
        for _ in range(5):
            differences = rng.integers(-3, 5, size) / 10
            assert signed_rank(differences)[1] == pytest.approx(by_all_signs(differences) if differences.any() else 1.0)


def test_many_seeds_are_scipys_exact_test_then_the_normal_approximation():
    differences = np.random.default_rng(6).normal(0.1, 1.0, 400)
    for size, method in ((60, "exact"), (EXACT, "exact"), (EXACT + 1, "asymptotic"), (400, "asymptotic")):
        some = differences[:size]
        assert signed_rank(some)[1] == pytest.approx(scipy.stats.wilcoxon(some, method=method).pvalue, rel=1e-9)


def test_the_band_is_the_percentile_bootstraps():
    values = np.random.default_rng(0).exponential(1.0, (40, 3))
    found = band(values)
    assert found.mean == pytest.approx(values.mean(axis=0))
    known = scipy.stats.bootstrap(
        (values,), np.mean, axis=0, method="percentile", n_resamples=RESAMPLES, rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.low == pytest.approx(known.low, abs=0.04)
    assert found.high == pytest.approx(known.high, abs=0.04)


def test_the_band_covers():
    rng = np.random.default_rng(3)
    values = rng.exponential(1.0, (60, 2000))  # 2,000 experiments of 60 seeds whose mean is 1
    found = band(values)
    assert ((found.low <= 1) & (found.high >= 1)).mean() == pytest.approx(0.95, abs=0.03)


def test_one_seed_has_no_width():
    found = band(np.array([[0.2, 0.1]]))
    assert found.low.tolist() == found.high.tolist() == [0.2, 0.1]


@pytest.mark.parametrize("strategies", range(2, 7))
def test_seeds_needed_is_the_least_number_that_can_tell(strategies):
    def smallest(seeds):
        every_time = scipy.stats.wilcoxon(np.arange(1.0, seeds + 1), method="exact").pvalue
        return every_time * strategies * (strategies - 1) / 2

    needed = seeds_needed(strategies)
    assert smallest(needed) < ALPHA <= smallest(needed - 1)


def test_nothing_is_told_from_too_few_seeds():
    few = {"a": np.arange(5) + 1.0, "b": np.arange(5) + 0.5, "c": np.arange(5) + 0.0}
    assert not ranking(few).any_differ
    many = {name: np.arange(30) + level for name, level in [("a", 1.0), ("b", 0.5), ("c", 0.0)]}
    assert ranking(many).told_apart("a", "c")
    assert ranking(many).groups() == []


def test_no_difference_where_there_is_none():
    rng = np.random.default_rng(8)
    scores = rng.normal(size=(200, 3, 20))
    told = sum(ranking(dict(enumerate(table))).any_differ for table in scores)
    assert told / len(scores) == pytest.approx(0.05, abs=0.035)


def test_who_found_no_winner_is_worst():
    found = ranking({"a": np.array([0.1, 0.2, 0.3]), "b": np.array([np.nan, 0.5, np.nan])})
    assert found.ranks == {"a": pytest.approx(4 / 3), "b": pytest.approx(5 / 3)}
    assert ranking({"a": np.full(3, np.nan), "b": np.full(3, np.nan)}).pairs[0].p == 1.0


def test_without_a_seed_or_a_rival_there_is_nothing_to_tell():
    empty = ranking({"a": np.array([]), "b": np.array([])})
    assert (empty.seeds, empty.pairs, empty.any_differ) == (0, (), False)
    assert np.isnan([*empty.ranks.values(), empty.critical_difference]).all()
    assert np.isnan(critical_difference(1, 5))


def test_groups_are_the_longest_runs_without_a_difference():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, 40)
    scores = {
        name: noise * 0.1 + rng.normal(level, 0.5, 40)
        for name, level in zip("abcde", (0, 0.1, 0.6, 0.7, 2), strict=True)
    }
    found = ranking(scores)
    names = list(found.ranks)
    runs = [
        tuple(names[start:end])
        for start in range(5)
        for end in range(start + 2, 6)
        if not any(found.told_apart(a, b) for a in names[start:end] for b in names[start:end] if a != b)
    ]
    longest = [run for run in runs if not any(set(run) < set(other) for other in runs)]
    assert found.groups() == longest
    assert longest


@pytest.mark.parametrize("differences", [[1, 1, 1, 1, 1, 0], [0.1, 0.2, 0.3, 0.4, 0.5, 0], [1] * 6])
def test_p_is_never_below_that_of_all_signs_equal(differences):
    """By brute force over the signs of what is not zero: at best both of the two extreme ones are as extreme."""
    nonzero = np.count_nonzero(differences)
    assert signed_rank(np.array(differences, dtype=float))[1] >= 2 / 2**nonzero
