"""SMAC: Hutter, Hoos and Leyton-Brown, 2011; the optimiser of Auto-Net (Mendoza et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.encodings import OneHot
from archwright.spaces.operators import sample
from archwright.strategies.acquisition import log_expected_improvement
from archwright.strategies.candidates import LEADERS, leading, maximised
from archwright.strategies.models.surrogate import warped_losses

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

LEAST_STD = 1e-3
"""Of a forest's prediction, in standard deviations of the losses: where all trees agree, nothing is certain yet."""


@dataclass(frozen=True)
class SMAC:
    """The largest expected improvement under a random forest, found by climbing; in between, random architectures.

    Architectures are one-hot vectors. Losses are warped by `half_rank` where the authors take the logarithm of a
    running time. Each architecture is evaluated once, so there is nothing to intensify: the paper's races are between
    many noisy runs of a few configurations. Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        initial: random architectures that a search starts with.
        trees: of the forest; the paper's 10. As there, each split looks at 5/6 of the columns, and a node of fewer than
            10 evaluations is a leaf.
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
        known = [scored.evaluation.trial.architecture for scored in history.succeeded]
        nothing = not known or not len(known[0])  # to learn from, or to decide
        if history.asked < self.initial or nothing or rng.random() < self.interleaved:
            return Trial(sample(space, rng))
        losses = warped_losses(history.succeeded, rng)
        forest = Forest(cast("Space", space), known, losses, self.trees)
        best = leading(history, losses, LEADERS)
        found = maximised(space, history, rng, forest.improvement, self.candidates, best)
        return Trial(found or sample(space, rng))


class Forest:
    """Predicts mean and variance: the trees differ, and so do the evaluations within a leaf (section 4.1)."""

    def __init__(self, space: Space, known: Sequence[Architecture], losses: Array, trees: int) -> None:
        self.encode = OneHot(space)
        self.best = float(losses.min())
        self.least = LEAST_STD * (float(losses.std()) or 1.0)
        forest = RandomForestRegressor(
            trees, max_features=5 / 6, min_samples_split=10, random_state=seed_for("forest", len(known)) % 2**32
        )
        self.trees = [tree.tree_ for tree in forest.fit(self._vectors(known), losses).estimators_]

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation for each: (m,), (m,)."""
        vectors = self._vectors(architectures)
        leaves = [tree.apply(vectors) for tree in self.trees]
        means = np.array([tree.value[leaf, 0, 0] for tree, leaf in zip(self.trees, leaves, strict=True)])
        within = np.array([tree.impurity[leaf] for tree, leaf in zip(self.trees, leaves, strict=True)])
        variance = within.mean(axis=0) + means.var(axis=0)  # the law of total variance
        return means.mean(axis=0), np.sqrt(np.maximum(variance, self.least**2))

    def improvement(self, architectures: Sequence[Architecture]) -> Array:
        """The logarithm of the expected improvement: (m,)."""
        if not architectures:
            return np.empty(0)
        return log_expected_improvement(*self.predict(architectures), self.best)

    def _vectors(self, architectures: Sequence[Architecture]) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.array([self.encode(architecture) for architecture in architectures], dtype=np.float32)
