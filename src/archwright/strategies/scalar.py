"""One number for each evaluation, for strategies whose papers know one objective."""

from __future__ import annotations

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
    losses = np.array([scored.losses for scored in history.succeeded], dtype=float)
    violations = np.array([scored.violation for scored in history.succeeded], dtype=float)
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


def reward(history: History, position: int) -> float | None:
    """What a learner by reward gets for the evaluation at `position`, larger is better; None for a failure.

    One objective without constraints violated: the metric itself (negated if it is minimised). Several, or a
    violation: the share of the evaluations before it that don't beat it.
    """
    scored = history.scored(position)
    if scored is None:
        return None
    if len(scored.losses) == 1 and scored.violation == 0.0:
        return -scored.losses[0]
    before: list[Scored] = [other for other in history.succeeded if other.position < position]
    if len(scored.losses) == 1:  # a violation: below every loss seen so far
        worst = max((other.losses[0] for other in before if other.violation == 0.0), default=scored.losses[0])
        return -worst - scored.violation
    return sum(not other.beats(scored) for other in before) / max(len(before), 1)
