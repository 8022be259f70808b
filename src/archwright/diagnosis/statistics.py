"""How far two orders of the same architectures agree, each figure with its bootstrap interval.

A resample of architectures is a row of weights: how often each was drawn. All figures are written for such rows, and
the sample itself is the row of ones, so that a figure and its interval come out of the same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from archwright.compare.statistics import RESAMPLES, Vector

TOP = 0.1
"""Share of the architectures that `recall` is about."""

LEAST = 3
"""Architectures that an order needs before anything is said about it."""


@dataclass(frozen=True)
class Figure:
    """A statistic and its 95 % interval: the percentile bootstrap over architectures (Efron and Tibshirani, 1993).

    NaN where it is not defined, as for scores that are all equal.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Vector) -> Figure:
        """From the statistic of each row of weights, the sample itself first."""
        known = values[1:][np.isfinite(values[1:])]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        return cls(float(values[0]), float(low), float(high))


@dataclass(frozen=True)
class Agreement:
    """How far scores rank as the truth does.

    Attributes:
        count: architectures.
        tau: Kendall's tau-b.
        spearman: Spearman's rank correlation.
        recall: of the truth's best tenth, the share that is among the scores' best tenth.
        regret: how much worse than the best, in the truth's unit, is the one that the scores pick.
    """

    count: int
    tau: Figure
    spearman: Figure
    recall: Figure
    regret: Figure

    @classmethod
    def of(cls, truth: Vector, scores: Vector) -> Agreement:
        """Of values of which larger ones are better, both about the same architectures: (architectures,)."""
        figures = (figure(truth, scores, of) for of in (kendall, spearman, recall, regret))
        return cls(len(truth), *figures)


Statistic = Callable[[Vector, Vector, Vector], Vector]
"""From truth (architectures,), scores (architectures,) and weights (rows, architectures) to a number a row."""


def figure(truth: Vector, scores: Vector, statistic: Statistic) -> Figure:
    """A statistic of two orders, with its interval."""
    return Figure.of(_of_rows(statistic, truth, scores))


def difference(truth: Vector, one: Vector, other: Vector) -> Figure:
    """By how much Kendall's tau with the truth is larger for one than for the other, paired by architecture."""
    return Figure.of(_of_rows(kendall, truth, one) - _of_rows(kendall, truth, other))


def mean(values: Vector) -> Figure:
    """The mean."""
    return Figure.of(_of_rows(lambda _, scores, rows: rows @ scores / rows.sum(axis=1), values, values))


def top_gap(judge: Vector, gaps: Vector) -> Figure:
    """By how much gaps are larger for the judge's best tenth than for the others.

    Args:
        judge: a measurement that had no part in the gaps: the best by one that had are the lucky ones among its errors.
    """

    def difference(judge: Vector, gaps: Vector, rows: Vector) -> Vector:
        inside = rows * _among_best(judge, rows)
        outside = rows - inside
        with np.errstate(invalid="ignore"):  # no others: no difference
            return np.asarray(inside @ gaps / inside.sum(axis=1) - outside @ gaps / outside.sum(axis=1))

    return Figure.of(_of_rows(difference, judge, gaps))


def kendall(truth: Vector, scores: Vector, rows: Vector) -> Vector:
    """Kendall's tau-b: pairs in the same order less pairs in opposite orders, by those tied in neither (Kendall, 1945).

    An architecture that a resample has twice is a pair that is tied in both, which counts for nothing.
    """
    left, right = (np.sign(values[:, None] - values) for values in (truth, scores))

    def pairs(signs: Vector) -> Vector:
        return np.asarray(((rows @ signs) * rows).sum(axis=1))

    with np.errstate(invalid="ignore"):  # all equal: there is no order
        return np.asarray(pairs(left * right) / np.sqrt(pairs(left**2) * pairs(right**2)))


def spearman(truth: Vector, scores: Vector, rows: Vector) -> Vector:
    """Spearman's rank correlation: Pearson's of the ranks, equal values having the mean of theirs."""
    count = rows.sum(axis=1, keepdims=True)
    left, right = (_ranks(values, rows) - (count + 1) / 2 for values in (truth, scores))

    def product(one: Vector, other: Vector) -> Vector:
        return np.asarray((rows * one * other).sum(axis=1))

    with np.errstate(invalid="ignore"):
        return np.asarray(product(left, right) / np.sqrt(product(left, left) * product(right, right)))


def recall(truth: Vector, scores: Vector, rows: Vector) -> Vector:
    """Of the truth's best tenth, at least one, the share among the scores' best tenth; equal ones share last places."""
    both = np.minimum(_among_best(truth, rows), _among_best(scores, rows))
    return np.asarray((rows * both).sum(axis=1) / places(len(truth)))


def regret(truth: Vector, scores: Vector, rows: Vector) -> Vector:
    """The best truth less that of the pick; of several equal picks the mean."""
    best = np.where(rows > 0, truth, -np.inf).max(axis=1, keepdims=True)
    drawn = np.where(rows > 0, scores, -np.inf)
    picked = rows * (drawn == drawn.max(axis=1, keepdims=True))
    return np.asarray((picked * (best - truth)).sum(axis=1) / picked.sum(axis=1))


def places(count: int) -> int:
    """How many architectures are the best tenth."""
    return max(1, round(TOP * count))


def _among_best(values: Vector, rows: Vector) -> Vector:
    """Which part of each is among its resample's best tenth: 1, 0, or a share of the last places: (rows, count)."""
    above = rows @ (values[:, None] > values)
    equal = rows @ (values[:, None] == values)
    return np.asarray(np.clip((places(len(values)) - above) / np.maximum(equal, 1), 0.0, 1.0))


def _ranks(values: Vector, rows: Vector) -> Vector:
    return np.asarray(rows @ (values[:, None] < values) + (rows @ (values[:, None] == values) + 1) / 2)


def _of_rows(statistic: Statistic, truth: Vector, scores: Vector) -> Vector:
    if len(truth) < LEAST:
        return np.full(2, np.nan)
    size = max(1, BLOCK // len(truth))
    rows = weights(len(truth))
    ask = partial(statistic, truth, scores)
    return np.concatenate([ask(rows[start : start + size]) for start in range(0, len(rows), size)])


BLOCK = 1_000_000
"""Numbers of weights at a time, so that thousands of architectures fit into memory."""


@lru_cache(maxsize=8)
def weights(count: int) -> Vector:
    """A row of ones, and how often each of `count` architectures is in each resample: (1 + resamples, count)."""
    drawn = np.random.default_rng(count).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.concatenate([np.ones((1, count)), drawn])
