import numpy as np

from archwright.strategies.models import distances as module
from archwright.strategies.models.distances import Distances


def made(calls):
    def between(one, others):
        calls.extend(others)
        return np.array([abs(one - other) for other in others])

    return Distances(float, between)


def expected(left, right):
    return np.abs(np.subtract.outer(np.array(left, dtype=float), np.array(right, dtype=float)))


def test_they_are_the_distances_in_either_order_and_of_nothing():
    apart, few, many = made([]), [3, 1], [5, 2, 9, 3]
    for left, right in ((few, many), (many, few), (few, few), ([*many, 5], many), (few, []), ([], few)):
        np.testing.assert_array_equal(apart(left, right), expected(left, right).reshape(len(left), len(right)))
    twice = [4, 4, 7]
    np.testing.assert_array_equal(apart(twice, twice), expected(twice, twice))


def test_what_is_known_among_items_is_not_computed_again():
    calls = []
    apart, items = made(calls), [5, 2, 9]
    apart(items, items)
    assert len(calls) == 3  # pairs
    more = [9, 4, 5, 2]
    np.testing.assert_array_equal(apart(more, more), expected(more, more))
    assert len(calls) == 3 + 3


def test_of_too_many_items_those_that_are_asked_for_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 4)
    calls = []
    apart = made(calls)
    for items in ([1, 2, 3], [2, 3, 4], [2, 3, 5], [1, 2, 3, 4, 5, 6]):
        np.testing.assert_array_equal(apart(items, items), expected(items, items))
    del calls[:]
    items = [6, 1]
    np.testing.assert_array_equal(apart(items, items), expected(items, items))
    assert calls == []
