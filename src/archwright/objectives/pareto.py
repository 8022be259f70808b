"""Pareto fronts of losses (smaller is better): who is on them, how crowded they are, how much they dominate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archwright.core.objective import dominates

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def hypervolume(losses: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """The volume that the points dominate, bounded by `reference`; all to be minimised.

    Exact, by slicing along the last objective (Fonseca, Paquete and López-Ibáñez, 2006, the plain recursion): fine
    for fronts of hundreds of points in two or three objectives.
    """
    inside = {tuple(point) for point in losses if all(a < b for a, b in zip(point, reference, strict=True))}
    front = [point for point in inside if not any(dominates(other, point) for other in inside)]
    if not front:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(point[0] for point in front)
    heights = sorted({point[-1] for point in front})
    volume = 0.0
    for low, high in zip(heights, [*heights[1:], reference[-1]], strict=True):
        slab = [point[:-1] for point in front if point[-1] <= low]
        volume += (high - low) * hypervolume(slab, reference[:-1])
    return volume


def non_dominated(losses: ArrayLike) -> list[int]:
    """The rows of `losses`, (n, objectives), that no other row dominates, in order; equal ones are all kept.

    The smallest row in lexicographic order is on the front; what it dominates is put aside, and so on: one pass over
    the rest for each point of the front, quick for whole tables.
    """
    import numpy as np

    points = np.asarray(losses, dtype=float)
    left = np.lexsort(points.T[::-1])
    front: list[int] = []
    while len(left):
        first = points[left[0]]
        equal = np.all(points[left] == first, axis=1)
        front += left[equal].tolist()
        left = left[~equal & np.any(points[left] < first, axis=1)]
    return sorted(front)


def non_dominated_sort(losses: ArrayLike, violations: ArrayLike | None = None) -> list[list[int]]:
    """The rows of `losses`, (n, objectives), by front: the non-dominated ones, those without these, and so on.

    The fast non-dominated sort of NSGA-II (Deb et al., 2002, §III-A), all pairs at once; fine for thousands of rows.

    Args:
        violations: of the constraints, (n,): what violates them less dominates (constrained domination, §VI-A).
    """
    import numpy as np

    points = np.asarray(losses, dtype=float)
    left, right = points[:, None], points[None]
    beats = np.all(left <= right, axis=2) & np.any(left < right, axis=2)  # (n, n): the row's point the column's
    if violations is not None:
        outside = np.asarray(violations, dtype=float)
        beats = np.where(np.equal(outside[:, None], outside), beats, np.less(outside[:, None], outside))
    dominators = beats.sum(axis=0)
    fronts: list[list[int]] = []
    while (dominators == 0).any():
        front = np.flatnonzero(dominators == 0)
        fronts.append(front.tolist())
        dominators = dominators - beats[front].sum(axis=0)
        dominators[front] = -1  # done
    return fronts


def crowding_distance(losses: ArrayLike) -> list[float]:
    """How much room each point of a front has, (n, objectives) -> (n,) (NSGA-II: Deb et al., 2002, §III-B).

    The sum over the objectives of the distance between a point's two neighbours, as a share of the front's range; the
    ends are infinitely far from others.
    """
    import numpy as np

    points = np.asarray(losses, dtype=float)
    distance = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if spread > 0.0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return [float(value) for value in distance]
