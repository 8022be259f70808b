"""SMAC: Hutter, Hoos and Leyton-Brown, 2011; the optimiser of Auto-Net (Mendoza et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.predictors.random_forest import RandomForest
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import LEADERS, leading, maximised
from archwright.strategies.models.surrogate import warped_losses
from archwright.strategies.scalar import bounded, lessons

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

COLUMNS, SPLIT = 5 / 6, 10
"""Share of the columns that a split of the forest looks at; a node of fewer evaluations is a leaf (section 4.1)."""


@dataclass(frozen=True)
class SMAC:
    """The largest expected improvement under a random forest, found by climbing; in between, random architectures.

    Architectures are one-hot vectors. Losses are warped by `half_rank` where the authors take the logarithm of a
    running time. Each architecture is evaluated once, so there is nothing to intensify: the paper's races are between
    many noisy runs of a few configurations. Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        initial: random architectures that a search starts with.
        trees: of the forest; the paper's 10.
        candidates: architectures that the acquisition compares in each of the rounds of its maximisation, of which the
            first begins with mutants of the 10 best, as the paper's local searches do.
        interleaved: share of the proposals that are random, whatever the forest says; the paper has every other one.
    """

    initial: int = 10
    trees: int = 10
    candidates: int = 100
    interleaved: float = 0.5

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first trials and by chance, then what the forest expects to improve most."""
        learnt = bounded(lessons(history))
        known = [scored.evaluation.trial.architecture for scored in learnt]
        nothing = not known or not len(known[0])  # to learn from, or to decide
        if history.asked < self.initial or nothing or rng.random() < self.interleaved:
            return Trial(sample(space, rng))
        losses = warped_losses(learnt, rng)
        model = RandomForest(self.trees, COLUMNS, SPLIT, graphs=False)
        forest = model.fit(cast("Space", space), known, losses, seed_for("forest", len(known)))
        best = leading(learnt, losses, LEADERS)

        def improvement(found: Sequence[Architecture]) -> Array:
            return log_expected_improvement(*forest.predict(found), float(losses.min()))

        found = maximised(space, history, rng, improvement, self.candidates, best)
        return Trial(found or sample(space, rng))
