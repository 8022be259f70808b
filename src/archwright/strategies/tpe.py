"""The tree-structured Parzen estimator: Bergstra, Bardenet, Bengio and Kegl, 2011; Bergstra, Yamins and Cox, 2013."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Open
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.spaces.operators import sample, trace
from archwright.strategies.candidates import choose
from archwright.strategies.models.parzen import Counted, Parzen, density
from archwright.strategies.scalar import bounded, lessons, scalarised

if TYPE_CHECKING:
    from numpy.random import Generator

MOST_GOOD = 25
"""No more evaluations than this are called good, however many there are (the authors' program, Hyperopt)."""


@dataclass(frozen=True)
class TPE:
    """The best evaluations give a density l, the others a density g; of candidates from l the largest l / g is asked.

    Both are products over the decisions that an architecture makes, drawn and computed in one walk, so that a
    conditional decision is learned from those evaluations alone that made it (2011, section 4). What is pending counts
    as bad, so that several workers spread out; so does, inside a multi-fidelity strategy, what was not promoted. What
    constraints exclude is ranked behind all else. Several objectives are made one, anew for each proposal (ParEGO).

    Attributes:
        initial: random architectures that a search starts with; Hyperopt's 20. (In 2013 there were 50 for 800 trials.)
        candidates: drawn from l for each proposal; Hyperopt's 24.
        gamma: the best `gamma` times the square root of T evaluations are the good ones, rounded up; 1/4 in 2013.
    """

    initial: int = 20
    candidates: int = 24
    gamma: float = 0.25

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture for the first trials, then the candidate of the largest l / g that is new."""
        learnt = bounded(lessons(history))
        if history.asked < self.initial or not learnt:
            return Trial(sample(space, rng))
        order = np.argsort(scalarised(learnt, rng), kind="stable")
        few = min(math.ceil(self.gamma * math.sqrt(len(order))), MOST_GOOD)
        known = [scored.evaluation.trial.architecture for scored in learnt]
        pending = [trial.architecture for trial in history.pending.values()]
        good = _Tree(known[place] for place in np.sort(order[:few]))
        bad = _Tree([*(known[place] for place in np.sort(order[few:])), *pending])
        scores: dict[Architecture, float] = {}
        for _ in range(self.candidates):
            ratio = 0.0

            def decide(name: str, choice: Open) -> Value:
                nonlocal ratio
                value = good.density(name, choice).draw(rng)
                ratio += good.density(name, choice).log_density(value) - bad.density(name, choice).log_density(value)
                return value

            made = trace(space, decide)
            if space.excluded(made) is None:
                scores[made] = ratio
        return Trial(choose(space, history, list(scores), np.array(list(scores.values()))) or sample(space, rng))


class _Tree:
    """A density of each decision, made when it is first asked for."""

    def __init__(self, architectures: Iterable[Architecture]) -> None:
        self._values: defaultdict[str, list[Value]] = defaultdict(list)
        for architecture in architectures:
            for name, value in architecture:
                self._values[name].append(value)
        self._densities: dict[str, Counted | Parzen] = {}

    def density(self, name: str, choice: Open) -> Counted | Parzen:
        if name not in self._densities:
            self._densities[name] = density(choice, self._values.get(name, ()))
        return self._densities[name]
