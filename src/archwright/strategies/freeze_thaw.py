"""Freeze-thaw Bayesian optimisation: Swersky, Snoek and Adams, 2014."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.predictors.arc import Arc
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import candidates, choose
from archwright.strategies.designs import latin_hypercube
from archwright.strategies.models.curve_process import Curve, CurveProcess
from archwright.strategies.models.refit import Refits, refit_length
from archwright.strategies.rungs import Rungs, promoted
from archwright.strategies.scalar import bounded, lessons, scalarised

if TYPE_CHECKING:
    from numpy.random import Generator

Array = np.ndarray[Any, np.dtype[np.float64]]

POINTS = 10
"""Values of a learning curve that the model reads, evenly spaced, the last among them."""
MOST = 300
"""Curves that are read: the cost of a fit grows with their cube."""
DIGITS = 9
"""Of times, so that a third of three tenths is one tenth."""
FARTHEST = 5.0
"""How far behind the median losses are read, in distances of the median from the best."""
PARENTS = 10
"""Trainings that are expected to end best, from which half of the new candidates come."""


@dataclass
class FreezeThaw:
    """Trainings are paused at each fidelity; the one goes on, or begins, that promises most for what it still costs.

    A Gaussian process over learning curves (`CurveProcess`) predicts what each paused training, and each of some new
    architectures, will have for a loss at its end. The one of the largest expected improvement on the best that came to
    its end, for each share of a training that it still lacks, is asked at the next fidelity. `Training` continues it
    from its checkpoint.

    A curve is the evaluation's own where that is a curve of the objective and fidelity is along epochs; else the losses
    at the fidelities asked so far, as of a table. Along epochs it is taken to be until a training has, at a higher
    fidelity, another curve that is no longer, as it has along data, resolution or width. Where losses exploded, curves
    are cut (`clipped`). What constraints reject before it costs anything is a curve of one value, behind all others.

    What differs from the paper: it asks what tells most about whose asymptote is the smallest (entropy search over a
    basket of old and new trainings), and that seldom finishes one, while here full fidelity decides who has won; the
    process' parameters are fitted, not sampled; losses fall on average (`CurveProcess`); the inputs aren't warped.
    Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        levels: the fidelities at which a training is paused, ascending to 1.
        initial: architectures of a Latin hypercube that a search begins.
        candidates: new architectures to choose from.
    """

    levels: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    initial: int = 5
    candidates: int = 100
    _refits: Refits[Any] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.levels = Rungs(tuple(self.levels)).levels

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A new training for the first trials, then what promises most."""
        if history.asked < self.initial:
            return Trial(latin_hypercube(space, rng, history.asked, self.initial), self.levels[0])
        learnt = bounded(lessons(history))
        if not learnt:
            return Trial(sample(space, rng), self.levels[0])
        known = curves(history, learnt, scalarised(learnt, rng))
        kernel = self._refits(space, history, "kernel", lambda: Arc(space))
        process = CurveProcess(kernel).fit(list(known), self._parameters(space, history, kernel))
        expected = dict(zip(known, process.predict(list(known))[0].tolist(), strict=True))
        leaders = sorted(known, key=expected.__getitem__)
        best = expected[next((curve for curve in leaders if self._next(known[curve]) is None), leaders[0])]

        def promise(found: Sequence[Curve]) -> Array:
            """The logarithm of the expected improvement for each share of a training."""
            if not found:
                return np.empty(0)
            lacking = [1.0 - known[curve].evaluation.trial.fidelity if curve in known else 1.0 for curve in found]
            return log_expected_improvement(*process.predict(found), best) - np.log(lacking)

        made = candidates(space, history, rng, self.candidates, [curve.item for curve in leaders[:PARENTS]])
        begun = promise([Curve(architecture) for architecture in made])
        fresh = choose(space, history, made, begun)
        paused = self._paused(history, known)
        thawed = promise(paused)
        if paused and (fresh is None or thawed.max() >= begun[made.index(fresh)]):
            scored = known[paused[int(np.argmax(thawed))]]
            return promoted(history, scored.position, self._next(scored) or 1.0)
        return Trial(fresh or sample(space, rng), self.levels[0])

    def _next(self, scored: Scored) -> float | None:
        """The level after the one that was reached; None at the end."""
        return next((level for level in self.levels if level > scored.evaluation.trial.fidelity), None)

    def _paused(self, history: History, known: dict[Curve, Scored]) -> list[Curve]:
        """The trainings that can go on: not at their end, not under way, and none that failed."""
        busy = {(trial.architecture, trial.seed) for trial in history.pending.values()}
        failed = (evaluation.trial for evaluation in history if evaluation.failure is not None)
        busy |= {(trial.architecture, trial.seed) for trial in failed}
        return [
            curve
            for curve, scored in known.items()
            if self._next(scored) is not None and (curve.item, scored.evaluation.trial.seed) not in busy
        ]

    def _parameters(self, space: SearchSpace, history: History, kernel: Arc) -> Array:
        """The process's, fitted to the first n lessons."""
        known = lessons(history)
        length = refit_length(len(known))

        def fit() -> Array:
            first = bounded(known[:length])
            losses = scalarised(first, np.random.default_rng(seed_for("freeze-thaw", length)))
            return CurveProcess(kernel).fit(list(curves(history, first, losses))).parameters

        parameters: Array = self._refits(space, history, length, fit)
        return parameters

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits()}


def curves(history: History, learnt: Sequence[Scored], losses: Array) -> dict[Curve, Scored]:
    """The curve of each training (an architecture and a seed), and its evaluation of the highest fidelity.

    Own curves are read where they are those of one training that goes on (`along_epochs`). Of more than `MOST` those of
    the best half and the latest: what is as bad as old is given up. They are `clipped`.
    """
    own_curves = [own_curve(history, scored) for scored in learnt]
    goes_on = along_epochs(learnt, own_curves)
    values: dict[tuple[Any, int], dict[float, float]] = {}
    last: dict[tuple[Any, int], Scored] = {}
    for scored, own, loss in zip(learnt, own_curves, losses.tolist(), strict=True):
        trial = scored.evaluation.trial
        training = trial.architecture, trial.seed
        highest = training not in last or last[training].evaluation.trial.fidelity < trial.fidelity
        if not own or not goes_on:
            values.setdefault(training, {})[round(trial.fidelity, DIGITS)] = loss
        elif highest:  # it holds all that came before, at times of its own
            values[training] = own
        if highest:
            last[training] = scored
    found = {}
    for training, points in values.items():
        times = sorted(points)
        kept = sorted({times[place] for place in np.linspace(0, len(times) - 1, POINTS).round().astype(int)})
        curve = Curve(training[0], tuple(kept), tuple(points[time] for time in kept))
        found[curve] = last[training]
    known = list(found)
    best = np.argsort([curve.values[-1] for curve in known], kind="stable")[: MOST // 2].tolist()
    kept_curves = [known[place] for place in sorted({*best, *range(len(known))[-MOST // 2 :]})]
    return {cut: found[curve] for curve, cut in zip(kept_curves, clipped(kept_curves), strict=True)}


def clipped(whole: Sequence[Curve]) -> list[Curve]:
    """The curves without what is too far behind, so that one loss that exploded doesn't make all others equal.

    A curve that ends beyond the limit of all curves' ends (`farthest`) is cut there. Of any other only peaks are cut,
    beyond the limit of all curves' worst values: losses may well begin far above where they end.
    """
    end = farthest(np.array([curve.values[-1] for curve in whole]))
    peak = max(end, farthest(np.array([max(curve.values) for curve in whole])))
    limits = [end if curve.values[-1] > end else peak for curve in whole]
    return [
        curve._replace(values=tuple(min(value, limit) for value in curve.values))
        for curve, limit in zip(whole, limits, strict=True)
    ]


def farthest(values: Array) -> float:
    """The limit of losses: so many times (`FARTHEST`) as far behind the median as the best is before it.

    Where half are as good as the best, the median is that of the others.
    """
    best, median = float(values.min()), float(np.median(values))
    if median == best and (values > best).any():
        median = float(np.median(values[values > best]))
    return median + FARTHEST * (median - best)


def along_epochs(learnt: Sequence[Scored], own_curves: Sequence[dict[float, float]]) -> bool:
    """Whether a training's own curve goes on from fidelity to fidelity, as far as is known: each value then belongs to
    a share of the full training.

    It doesn't where a training has, at a higher fidelity, another curve that is no longer. An equal one says nothing:
    two fidelities may come to one number of epochs.
    """
    known: dict[tuple[Any, int], dict[float, list[float]]] = {}
    for scored, own in zip(learnt, own_curves, strict=True):
        trial = scored.evaluation.trial
        if own:
            known.setdefault((trial.architecture, trial.seed), {})[trial.fidelity] = list(own.values())
    steps = (step for found in known.values() for step in pairwise(found[fidelity] for fidelity in sorted(found)))
    return not any(len(higher) <= len(lower) and higher != lower for lower, higher in steps)


def own_curve(history: History, scored: Scored) -> dict[float, float]:
    """An evaluation's own curve in losses, by the share of the full training; empty if it is not the objective's."""
    evaluation, goal = scored.evaluation, history.goal
    wanted = goal.objectives[0]
    single = len(goal.wanted) == 1 and bool(evaluation.curve)
    if not single or evaluation.curve[-1] != evaluation.metrics[wanted.metric]:
        return {}
    share = evaluation.trial.fidelity / len(evaluation.curve)
    sign = -1.0 if wanted.maximize else 1.0
    curve = enumerate(evaluation.curve)
    return {round(share * (epoch + 1), DIGITS): sign * value for epoch, value in curve if isfinite(value)}
