"""BANANAS: White, Neiswanger and Savani, 2021."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.operators import sample
from archwright.strategies.candidates import candidates, choose, leading
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import warped_losses
from archwright.strategies.scalar import bounded, lessons, scalarised

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.networks import PathNetworks
    from archwright.spaces.space import Space


@dataclass
class BANANAS:
    """Of candidates, the best by independent Thompson sampling from an ensemble of networks that read path encodings.

    The paper's networks minimise the mean absolute percentage error above a lower bound of the losses, so that good
    architectures count more than bad ones (section 4). Ours minimise the mean absolute error of losses warped by
    `half_rank`, to the same end: it needs no bound, and finds the optimum of NAS-Bench-201 more often. Half of the
    candidates are random; the paper's are all mutants of the best. They are drawn anew for each proposal, and the
    ensemble is trained anew after every `every` successes, or rejections by constraints, from which it learns too.
    Where a space says no graph, or decides numbers (so that paths seldom recur), vectors are one-hot. Several
    objectives are made one, anew for each training (ParEGO).

    Attributes:
        initial: random architectures that a search starts with; the paper's 10.
        every: successes between trainings; the paper's k = 10.
        candidates: architectures to choose from; the paper's 100.
        parents: how many of the best are mutated.
        members, layers, width, epochs: of the ensemble; the paper's 5 networks of 10 layers of 20 units, 150 epochs.
    """

    initial: int = 10
    every: int = 10
    candidates: int = 200
    parents: int = 10
    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150
    _refits: Refits[PathNetworks] = field(default_factory=Refits, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first trials, then the candidate whose draw from its prediction is best."""
        known = lessons(history)
        if history.asked < self.initial or len(known) < self.initial:
            return Trial(sample(space, rng))
        length = len(known) - (len(known) - self.initial) % self.every
        networks = self._refits(space, history, length, lambda: self._trained(space, known[:length]))
        best = leading(known, scalarised(known, rng), self.parents)
        found = candidates(space, history, rng, self.candidates, best)
        predicted = networks.each(found)  # (members, m)
        spread = predicted.std(axis=0, ddof=1) if self.members > 1 else np.zeros(len(found))
        drawn = predicted.mean(axis=0) + spread * rng.standard_normal(len(found))
        return Trial(choose(space, history, found, -drawn) or sample(space, rng))

    def _trained(self, space: SearchSpace, first: Sequence[Scored]) -> PathNetworks:
        from archwright.predictors.networks import Networks  # torch loads when it is needed

        known, seed = bounded(first), seed_for("bananas", len(first))
        losses = warped_losses(known, np.random.default_rng(seed))
        model = Networks(self.members, self.layers, self.width, self.epochs)
        return model.fit(cast("Space", space), [scored.evaluation.trial.architecture for scored in known], losses, seed)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits()}
