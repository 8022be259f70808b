"""The arc kernel: decisions that are made only under a condition (Swersky et al., 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice
from archwright.core.protocols import SearchSpace
from archwright.spaces.encodings import OneHot

if TYPE_CHECKING:
    from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

RADIUS = (0.01, 10.0)
"""Bounds of omega, for a kernel of length scale 1."""
ANGLE = (0.05, 1.0)
"""Bounds of rho; the paper's are [0, 1]."""


class Arc:
    """A Matérn 5/2 kernel on architectures, each decision a point of the plane (section 3 of the paper).

    A decision that is not made lies at the origin, so that all architectures that don't make it agree in it. One that
    is made lies on an arc around the origin, omega (sin pi rho u, cos pi rho u) for a number at the share u of its
    range. Options have no order: each lies on an axis of its own, omega from the origin, as the arc with rho = 1/2 has
    it for two. rho is one for all numbers.

    Attributes:
        ard: one omega a decision instead of one for all: more to learn, for spaces of few decisions.
    """

    def __init__(self, space: SearchSpace, *, ard: bool = False) -> None:
        self._encode = OneHot(cast("Space", space))
        self._vectors: dict[Architecture, Array] = {}
        slots = self._encode.slots.values()
        widths = [len(choice.options) if isinstance(choice, Choice) else 2 for choice in slots]
        starts = np.cumsum([0, *widths])[:-1]
        self._numbers = np.array(
            [start for start, choice in zip(starts, slots, strict=True) if not isinstance(choice, Choice)], dtype=int
        )
        self._omegas = len(widths) if ard else 1
        self._slot = np.repeat(np.arange(len(widths)) if ard else np.zeros(len(widths), dtype=int), widths)

    @cached_property
    def bounds(self) -> list[tuple[float, float]]:
        """Of the omegas, then of rho if some decision is a number."""
        return [RADIUS] * self._omegas + [ANGLE] * bool(self._numbers.size)

    def compare(self, left: Sequence[Architecture], right: Sequence[Architecture]) -> tuple[Array, Array]:
        """The architectures as `OneHot` vectors: (n, width), (m, width)."""
        return self._encoded(left), self._encoded(right)

    def __call__(self, parameters: Array, pairs: tuple[Array, Array]) -> Array:
        """The kernel's matrix: (n, m)."""
        left, right = (self._embedded(parameters, vectors) for vectors in pairs)
        squares = np.einsum("nd,nd->n", left, left)[:, None] + np.einsum("md,md->m", right, right)
        return matern(np.sqrt(np.maximum(squares - 2.0 * left @ right.T, 0.0)))

    def _embedded(self, parameters: Array, vectors: Array) -> Array:
        points = vectors.copy()
        if self._numbers.size:  # two columns each: whether it is decided, and where
            made = vectors[:, self._numbers]
            angle = np.pi * parameters[-1] * vectors[:, self._numbers + 1]
            points[:, self._numbers], points[:, self._numbers + 1] = made * np.sin(angle), made * np.cos(angle)
        return np.asarray(points * parameters[self._slot])

    def _encoded(self, architectures: Sequence[Architecture]) -> Array:
        for architecture in architectures:
            if architecture not in self._vectors:
                self._vectors[architecture] = self._encode(architecture)
        vectors = [self._vectors[architecture] for architecture in architectures]
        return np.array(vectors).reshape(len(vectors), self._encode.width)  # also of none


def matern(distance: Array) -> Array:
    """Matérn 5/2 of length scale 1 (Rasmussen and Williams, 2006, equation 4.17)."""
    scaled = np.sqrt(5.0) * distance
    return np.asarray((1.0 + scaled + scaled * scaled / 3.0) * np.exp(-scaled))
