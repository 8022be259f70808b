"""Fronts against brute force over all pairs."""

import itertools
import math

import numpy as np
import pytest

from archwright.core.objective import dominates
from archwright.objectives.pareto import crowding_distance, non_dominated, non_dominated_sort


def peeled(losses, violations):
    """Fronts by definition: take away what nobody left dominates, again and again."""

    def beats(a, b):
        if violations[a] != violations[b]:
            return violations[a] < violations[b]
        return dominates(losses[a], losses[b])

    left, fronts = set(range(len(losses))), []
    while left:
        front = {row for row in left if not any(beats(other, row) for other in left)}
        fronts.append(sorted(front))
        left -= front
    return fronts


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_are_those_of_the_definition(objectives):
    rng = np.random.default_rng(objectives)
    for size in (1, 2, 7, 40):
        for _ in range(20):
            losses = [tuple(row) for row in rng.integers(0, 6, size=(size, objectives)).tolist()]  # with equal points
            outside = np.maximum(rng.integers(-2, 3, size), 0).astype(float).tolist()
            assert non_dominated_sort(losses, outside) == peeled(losses, outside)
            feasible = peeled(losses, [0.0] * size)
            assert non_dominated_sort(losses) == feasible
            assert non_dominated(losses) == feasible[0]


def test_nothing_has_no_front():
    assert non_dominated(np.zeros((0, 2))) == []
    assert non_dominated_sort(np.zeros((0, 2)), []) == []


def test_crowding_distance_by_hand():
    front = [(0.0, 10.0), (1.0, 6.0), (3.0, 5.0), (10.0, 0.0)]
    assert crowding_distance(front) == pytest.approx([math.inf, 0.3 + 0.5, 0.9 + 0.6, math.inf])


@pytest.mark.parametrize("objectives", [2, 3])
def test_crowding_distance_by_looking_for_the_neighbours(objectives):
    rng = np.random.default_rng(objectives)
    points = rng.random((12, objectives))
    expected = []
    for point, axis_range in itertools.product(points, [points.max(axis=0) - points.min(axis=0)]):
        total = 0.0
        for axis in range(objectives):
            above = [other[axis] for other in points if other[axis] > point[axis]]
            below = [other[axis] for other in points if other[axis] < point[axis]]
            total += (min(above) - max(below)) / axis_range[axis] if above and below else math.inf
        expected.append(total)
    assert crowding_distance(points) == pytest.approx(expected)


def test_crowding_of_equal_points_is_finite_but_at_the_ends():
    assert crowding_distance([(1.0, 1.0)] * 3) == [math.inf, 0.0, math.inf]
