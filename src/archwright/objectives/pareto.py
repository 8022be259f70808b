"""The quality of a front as one number."""

from __future__ import annotations

from collections.abc import Sequence

from archwright.core.objective import dominates


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
