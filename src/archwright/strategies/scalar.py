"""What strategies with a model learn from, and one number for each of it, where their papers know one objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.history import History, Scored
from archwright.strategies.warping import half_rank

if TYPE_CHECKING:
    from numpy.random import Generator

RHO = 0.05
"""Weight of the sum beside the maximum (Knowles, 2006)."""

MOST_REJECTED = 200
"""Rejections that a model learns from, the latest: there may be thousands for one success."""

Vector = np.ndarray[Any, np.dtype[np.float64]]


def lesson(history: History, position: int) -> Scored | None:
    """What a model can learn from an evaluation: from a success, and from a rejection of which it is known how far it
    is outside the constraints. None otherwise, and for a rejection that repeats another one.

    A rejection has no losses. It counts by those constraints whose metrics it has.
    """
    evaluation = history[position]
    if not evaluation.rejected:
        return history.scored(position)
    metrics, bounds = evaluation.metrics, history.goal.constraints
    violation = sum(bound.violation(metrics[bound.metric]) for bound in bounds if bound.metric in metrics)
    known = violation > 0.0 and evaluation.reused is None
    return Scored(evaluation, position, (), violation) if known else None


def lessons(history: History) -> list[Scored]:
    """All that a model can learn from, in the order of arrival: the successes, and rejections as `lesson` says."""
    if not history.goal.constraints:
        return history.succeeded
    found = (lesson(history, position) for position in range(len(history)))
    return [scored for scored in found if scored is not None]


def bounded(known: Sequence[Scored]) -> Sequence[Scored]:
    """Of lessons the successes and the latest `MOST_REJECTED` rejections, in their order."""
    rejected = [place for place, scored in enumerate(known) if scored.evaluation.rejected]
    dropped = set(rejected[:-MOST_REJECTED])
    return [scored for place, scored in enumerate(known) if place not in dropped] if dropped else known


def scalarised(known: Sequence[Scored], rng: Generator) -> Vector:
    """A loss for each lesson, smaller is better: (n,).

    One objective is its own loss. Several are made one by the augmented Chebyshev norm under weights drawn anew at
    each call, so that different calls pull towards different parts of the front (ParEGO: Knowles, 2006, equation 2).
    Each is warped by `half_rank` first, or one loss that exploded would make all others equal. What violates the
    constraints comes behind all that doesn't (`behind`).
    """
    violations = violations_of(known)
    losses = np.array([scored.losses for scored in known if not scored.violation], dtype=float)
    if not losses.size:
        return behind(np.zeros(0), violations)
    if losses.shape[1] == 1:
        return behind(losses[:, 0], violations)
    losses = np.stack([half_rank(column) for column in losses.T], axis=1)
    low, high = losses.min(axis=0), losses.max(axis=0)
    weighted = rng.dirichlet(np.ones(losses.shape[1])) * (losses - low) / np.where(high > low, high - low, 1.0)
    return behind(weighted.max(axis=1) + RHO * weighted.sum(axis=1), violations)


def violations_of(known: Sequence[Scored]) -> Vector:
    """How far each lesson is outside the constraints, 0 inside: (n,)."""
    return np.array([scored.violation for scored in known], dtype=float)


def behind(inside: Vector, violations: Vector) -> Vector:
    """The values of all, given those of what violates nothing, in their order: (n,).

    What violates the constraints comes behind, by the rank of its violation: half to one and a half times the range of
    the values inside beyond their worst. By rank, since one that is a thousand times too large would make all others
    equal.
    """
    outside = violations > 0.0
    if not outside.any():
        return inside
    values, far = np.empty(len(violations)), violations[outside]
    worst, spread = (float(inside.max()), float(np.ptp(inside)) or 1.0) if len(inside) else (0.0, 1.0)
    values[~outside] = inside
    values[outside] = worst + spread * (0.5 + np.searchsorted(np.sort(far), far, side="left") / len(far))
    return values


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
