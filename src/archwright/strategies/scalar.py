"""One number for each evaluation, for strategies whose papers know one objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.history import History, Scored

if TYPE_CHECKING:
    from numpy.random import Generator

RHO = 0.05
"""Weight of the sum beside the maximum (Knowles, 2006)."""

Vector = np.ndarray[Any, np.dtype[np.float64]]


def scalars(history: History, rng: Generator) -> Vector:
    """A loss for each of `history.succeeded`, smaller is better: (successes,).

    One objective is its own loss. Several are made one by the augmented Chebyshev norm under weights drawn anew at
    each call, so that different calls pull towards different parts of the front (ParEGO: Knowles, 2006, equation 2).
    What violates the constraints comes after all that does not, by how far it is outside.
    """
    return scalarised(history.succeeded, rng)


def scalarised(succeeded: Sequence[Scored], rng: Generator) -> Vector:
    """The same for some of the successes only, such as the first n: (n,)."""
    losses = np.array([scored.losses for scored in succeeded], dtype=float)
    violations = np.array([scored.violation for scored in succeeded], dtype=float)
    if losses.size and losses.shape[1] > 1:
        low, high = losses.min(axis=0), losses.max(axis=0)
        weighted = rng.dirichlet(np.ones(losses.shape[1])) * (losses - low) / np.where(high > low, high - low, 1.0)
        losses = (weighted.max(axis=1) + RHO * weighted.sum(axis=1))[:, None]
    single = losses.reshape(len(violations), -1)[:, 0] if len(violations) else np.zeros(0)
    outside = violations > 0.0
    if outside.any():
        kept = single[~outside] if (~outside).any() else single
        spread = float(kept.max() - kept.min()) or 1.0
        single = np.where(outside, kept.max() + spread * (0.5 + violations), single)
    return single


class Standings:
    """Rewards in [0, 1] for learners, whatever the objectives and their units: where an evaluation stands.

    The reward of a success is the share of the other evaluations that don't beat it: a rank among one objective's
    values, 1 for a whole Pareto front of several, and robust to a loss that exploded. A failure is worth 0, and beaten
    by every success. A repeated answer stands where the original does, and is no evaluation of its own.
    """

    def __init__(self) -> None:
        self._known: list[Scored | None] = []
        self._places: dict[int, int] = {}  # of each position in the history
        self._unbeaten: list[int] = []  # how many others don't beat it

    def append(self, history: History, position: int) -> float:
        """Takes in the next evaluation and returns its reward."""
        original = history[position].reused
        if original in self._places:
            self._places[position] = self._places[original]
            return self[position]
        self._places[position] = len(self._known)
        new, unbeaten = history.scored(position), 0
        for place, other in enumerate(self._known):
            unbeaten += new is not None and (other is None or not other.beats(new))
            self._unbeaten[place] += other is not None and (new is None or not new.beats(other))
        self._known.append(new)
        self._unbeaten.append(unbeaten)
        return self[position]

    def __getitem__(self, position: int) -> float:
        """The reward now, among all evaluations taken in; 0.5 for a success that is the only one."""
        place, others = self._places[position], len(self._known) - 1
        if self._known[place] is None:
            return 0.0
        return self._unbeaten[place] / others if others else 0.5
