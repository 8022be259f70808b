"""What seeds can tell: confidence bands, ranks, tests. Strategies are paired by seed throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

Vector = np.ndarray[Any, np.dtype[np.float64]]

ALPHA = 0.05
"""The level of all tests; of all pairs of a comparison together."""

RESAMPLES = 2000
"""Of the bootstrap: enough for the second digit of a 95% band."""

EXACT = 200
"""Up to so many seeds that differ, the signed-rank test is exact: some milliseconds."""


@dataclass(frozen=True)
class Band:
    """A mean over seeds and its 95% confidence band, each (points,)."""

    mean: Vector
    low: Vector
    high: Vector


@dataclass(frozen=True)
class Pair:
    """Two strategies on the same seeds.

    Attributes:
        better: the one with the better signed ranks; if the two can't be told apart this says nothing.
        p: of the Wilcoxon signed-rank test, after Holm's correction for all pairs.
        wins: seeds on which `better` is better.
        losses: seeds on which it is worse; on the others they are equal.
    """

    better: str
    worse: str
    p: float
    wins: int
    losses: int

    @property
    def told_apart(self) -> bool:
        """Whether the seeds show a difference."""
        return self.p < ALPHA


@dataclass(frozen=True)
class Ranking:
    """Strategies ranked on each seed, and what can be concluded.

    Attributes:
        ranks: the average rank of each, 1 is best, in ascending order; of equal results each gets the mean rank. NaN
            without a seed.
        seeds: how many.
        friedman: p of the Friedman test, that is of "all are equally good"; None for two strategies or a single seed.
        critical_difference: Nemenyi's: average ranks that are farther apart differ (Demšar, 2006, equation 6). NaN for
            a single strategy, and without a seed.
        pairs: every pair; empty for a single seed.
    """

    ranks: Mapping[str, float]
    seeds: int
    friedman: float | None
    critical_difference: float
    pairs: tuple[Pair, ...]

    @property
    def any_differ(self) -> bool:
        """Whether pairs may be looked at: enough seeds, and the Friedman test, if it applies, found a difference."""
        enough = bool(self.pairs) and self.seeds >= seeds_needed(len(self.ranks))
        return enough and (self.friedman is None or self.friedman < ALPHA)

    def told_apart(self, one: str, other: str) -> bool:
        """Whether the seeds show a difference between two strategies."""
        return self.any_differ and self.pair(one, other).told_apart

    def pair(self, one: str, other: str) -> Pair:
        """The two strategies' comparison."""
        return next(pair for pair in self.pairs if {pair.better, pair.worse} == {one, other})

    def groups(self) -> list[tuple[str, ...]]:
        """Longest runs, in the order of the ranks, of strategies that can't be told apart from one another."""
        names = list(self.ranks)
        found: list[tuple[str, ...]] = []
        for start in range(len(names)):
            end = start + 1
            while end < len(names) and not any(self.told_apart(names[end], one) for one in names[start:end]):
                end += 1
            run = tuple(names[start:end])
            if len(run) > 1 and not any(set(run) <= set(other) for other in found):
                found.append(run)
        return found


def band(values: Vector) -> Band:
    """The mean over seeds, with the percentile bootstrap's 95% band (Efron and Tibshirani, 1993, chapter 13).

    A mean of regrets is skewed and never negative, so the normal band would be wrong where it matters most.

    Args:
        values: (seeds, points).
    """
    means = _resampling(len(values)) @ values
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return Band(values.mean(axis=0), low, high)


@lru_cache(maxsize=8)
def _resampling(count: int) -> Vector:
    """How often each of `count` seeds is in each resample, as a share: (resamples, count)."""
    drawn = np.random.default_rng(count).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.asarray(drawn / count, dtype=float)


def ranking(scores: Mapping[str, Vector]) -> Ranking:
    """Friedman's test, then Wilcoxon's for each pair with Holm's correction.

    Pairs are tested on their own results, not on their mean ranks: whether A beats B then doesn't depend on who else is
    compared (Benavoli, Corani and Mangili, 2016). Nemenyi's critical difference is given beside it.

    Args:
        scores: of each strategy, larger is better, on the same seeds in the same order; NaN is worse than any.
    """
    from scipy.stats import friedmanchisquare, rankdata

    names = list(scores)
    table = _filled(np.array([scores[name] for name in names], dtype=float))
    if not table.size:
        return Ranking(dict.fromkeys(names, np.nan), 0, None, np.nan, ())
    ranks = rankdata(-table, axis=0).mean(axis=1)
    ordered = dict(sorted(zip(names, ranks.tolist(), strict=True), key=lambda item: item[1]))
    seeds = table.shape[1]
    friedman = None
    if len(names) > 2 and seeds > 1:
        differ = bool((table != table[0]).any())
        friedman = float(friedmanchisquare(*table).pvalue) if differ else 1.0
    pairs = _pairs(names, table) if seeds > 1 else ()
    return Ranking(ordered, seeds, friedman, critical_difference(len(names), seeds), pairs)


@lru_cache(maxsize=64)
def critical_difference(strategies: int, seeds: int) -> float:
    """Nemenyi's critical difference of average ranks (Demšar, 2006, equation 6 and table 5a); NaN for a single one."""
    from scipy.stats import studentized_range

    if strategies < 2:
        return np.nan
    q = float(studentized_range.ppf(1 - ALPHA, strategies, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(strategies * (strategies + 1) / (6 * seeds)))


def signed_rank(differences: Vector) -> tuple[float, float]:
    """Wilcoxon's signed-rank test: the sum of the signed ranks, and p (two-sided).

    Ranks of zeros are split evenly (Demšar, 2006, section 3.1.3): where both found the same winner, that counts as
    evidence for neither. Up to `EXACT` differences other than zero, p is exact, ties or not: how many of all ways to
    give them signs have a sum as far from zero. Beyond, it is that of the normal approximation.
    """
    from scipy.stats import rankdata, wilcoxon

    differences = differences.round(12)  # what is equal on paper is a tie
    if not differences.any():
        return 0.0, 1.0
    ranks = rankdata(np.abs(differences))
    signed = float((np.sign(differences) * ranks).sum())
    if np.count_nonzero(differences) > EXACT:
        return signed, float(wilcoxon(differences, zero_method="zsplit", method="asymptotic").pvalue)
    return signed, _exact(ranks[differences != 0], min(ranks[differences > 0].sum(), ranks[differences < 0].sum()))


def _exact(ranks: Vector, smaller: float) -> float:
    """The two-sided p of the smaller sum of ranks of one sign, if each sign is as likely as the other.

    Args:
        ranks: of the differences other than zero, (differences,); of ties the mean rank, so halves are possible.
    """
    doubled = (2 * ranks).astype(int)
    share = np.zeros(int(2 * smaller) + 1)  # of all ways to give signs: those with each sum, up to the smaller one
    share[0] = 1.0
    for rank in doubled:
        share[rank:] += share[: max(0, len(share) - rank)]
        share /= 2
    return min(1.0, 2 * float(share.sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Holm, 1979): the smallest times m, the next times m - 1, ..., never decreasing."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for step, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[place]))
        corrected[place] = highest
    return corrected


def seeds_needed(strategies: int) -> int:
    """How many seeds it takes at least to tell two of the strategies apart, even if one wins on every seed.

    The signed-rank test of n seeds has no p below 2 / 2**n, and Holm's first step multiplies it by the pairs.
    """
    pairs = strategies * (strategies - 1) // 2
    seeds = 1
    while pairs * 2 / 2**seeds >= ALPHA:
        seeds += 1
    return seeds


def _pairs(names: Sequence[str], table: Vector) -> tuple[Pair, ...]:
    tested = []
    for one, other in combinations(range(len(names)), 2):
        differences = table[one] - table[other]
        signed, p = signed_rank(differences)
        better, worse = (one, other) if signed >= 0 else (other, one)
        wins, losses = int((table[better] > table[worse]).sum()), int((table[better] < table[worse]).sum())
        tested.append((names[better], names[worse], p, wins, losses))
    corrected = holm([p for _, _, p, _, _ in tested])
    return tuple(Pair(a, b, p, wins, losses) for (a, b, _, wins, losses), p in zip(tested, corrected, strict=True))


def _filled(table: Vector) -> Vector:
    """NaN becomes worse than the worst by the whole range."""
    if np.isnan(table).all():
        return np.zeros_like(table)
    low, high = float(np.nanmin(table)), float(np.nanmax(table))
    return np.where(np.isnan(table), low - (high - low) - 1.0, table)
