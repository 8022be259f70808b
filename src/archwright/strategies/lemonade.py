"""LEMONADE: Elsken, Metzen and Hutter, 2019, algorithm 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import check_list
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Evaluation, Trial
from archwright.strategies.evolution import Composed, Evolution
from archwright.strategies.evolving.population import demand
from archwright.strategies.evolving.select import InverseDensity, density, measured, spin
from archwright.strategies.evolving.survive import Front
from archwright.strategies.evolving.vary import MutateEach

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class LEMONADE(Composed):
    """The population is the Pareto front; parents, and the children worth their evaluation, lie where it is thin.

    Attributes:
        start: random architectures before the first child, 10: the paper begins with a few small networks of its own.
        cheap: metrics that cost little beside the others and span the density, such as ("parameters",); if empty, all
            objectives but the first.
        preflight: the metrics that are known before an evaluation, such as `estimator.preflight`; it has to know all
            that is cheap. Without it every child is evaluated.
        children: of so many children one is evaluated, drawn inversely to the density (n_pc / n_ac of the paper, whose
            values we could not check).
    """

    start: int = 10
    cheap: tuple[str, ...] = ()
    preflight: Callable[[SearchSpace, Trial], Mapping[str, float]] | None = None
    children: int = 10

    def compose(self) -> Evolution:
        """Inverse density on the Pareto front (equation 1), and mutations.

        One decision changes on average, where the paper applies one operator: then a front is a dead end once all its
        neighbours are known, which happens in small spaces.
        """
        demand(self.children >= 1, "at least one child to choose among")
        check_list("cheap", self.cheap, "metrics")
        return Evolution(survive=Front(), select=InverseDensity(self.cheap), vary=MutateEach(), start=self.start)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A child; with `preflight` one of many, drawn inversely to their density on the front (equation 2).

        Raises:
            BadObjective: `preflight` lacks a cheap metric.
        """
        child = self.evolution.propose(space, history, rng)
        if self.preflight is None or child.parent is None:
            return child
        more = [self.evolution.propose(space, history, rng) for _ in range(self.children - 1)]
        known = [answer for answer in (self._foreseen(space, trial) for trial in (child, *more)) if answer is not None]
        if not known:
            return child
        cheap = self.cheap or tuple(objective.metric for objective in history.goal.objectives[1:])
        front = measured([scored.evaluation for scored in self.evolution.alive(history)], cheap)
        return known[spin(1.0 / density(front, measured(known, cheap)), rng)].trial

    def _foreseen(self, space: SearchSpace, trial: Trial) -> Evaluation | None:
        """What `preflight` says; None where it fails, since the network will tell why if it is ever asked."""
        assert self.preflight is not None
        try:
            return Evaluation(trial, self.preflight(space, trial))
        except Exception:
            return None
