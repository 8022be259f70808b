"""A warm start by a cheap estimate: Abdelfattah et al., 2021, section 5."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture
from archwright.core.asking import metrics_of
from archwright.core.errors import ArchwrightError, in_one_line, one_of
from archwright.core.history import History
from archwright.core.objective import Goal, Objective, parse
from archwright.core.protocols import Estimator, SearchSpace, Strategy
from archwright.core.rng import Streams, seed_for, stream_seed
from archwright.core.trial import Trial
from archwright.spaces.operators import key_of, sample
from archwright.strategies.inside import check_proposes

if TYPE_CHECKING:
    from numpy.random import Generator

BEGINNINGS = ("population", "initial", "start")
"""What strategies call the number of random architectures that they begin with."""


@dataclass(frozen=True)
class Warm:
    """Asks first about the best of a random pool by a cheap estimate, best first, and then as another strategy does.

    That strategy finds the answers in the history, in place of the random architectures that it would begin with. The
    pool belongs to the search's seed. It is scored in the search's process before the first trial, and again after a
    resume: that takes time, but no evaluation of a budget. What can't be scored is left out, and so is what breaks a
    constraint on a metric that the cheap estimator has.

    The first ones are asked at full fidelity. Together with a strategy of several fidelities, it belongs inside:
    `ASHA(Warm(RegularizedEvolution(), cheap))`, where they begin on the lowest rung like all others.

    Attributes:
        of: the strategy that goes on: any that proposes architectures.
        cheap: the estimator that scores, such as ZeroCost(task, ("synflow",)). With costs=() it is faster, but knows
            no parameters or FLOPs, and what breaks a constraint on these is asked in vain.
        by: the metric, as an objective is written: "max:synflow".
        pool: random architectures, 1,000; the paper has up to 3,000.
        first: how many of them are asked. None is as many as the other strategy would begin with at random, where it
            has a number of those (`population`, `initial` or `start`), else 10; the authors fill a population of 64.
            After fewer, the rest of those are random.
    """

    of: Strategy
    cheap: Estimator
    by: str = "max:synflow"
    pool: int = 1000
    first: int | None = None

    def __post_init__(self) -> None:
        check_proposes(self, self.of)
        if not 1 <= self._first <= self.pool:
            own = f"; {type(self.of).__name__} begins with so many" if self.first is None else ""
            raise ArchwrightError(f"1 <= first <= pool is needed, not {self._first} and {self.pool}{own}")
        by, known = self._wanted.metric, metrics_of(self.cheap)  # what is no objective is refused at once
        if known is not None and by not in known:
            raise ArchwrightError(one_of("cheap metric", by, known))

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The next best of the pool, then whatever the other strategy proposes."""
        if history.asked < self._first:
            best = self._best(space, history.goal, stream_seed(rng))
            if history.asked < len(best):
                return Trial(best[history.asked])
        return self.of.propose(space, history, rng)

    def _best(self, space: SearchSpace, goal: Goal, seed: int) -> list[Architecture]:
        """The best of the pool, best first, kept for the next trial.

        Raises:
            ArchwrightError: nothing in the pool could be scored and keeps the constraints, with the reason.
        """
        if (space, goal, seed) not in self._known:
            streams = Streams(seed_for("pool", seed))
            drawn = (sample(space, streams[number]) for number in range(self.pool))
            different = list({key_of(space, architecture): architecture for architecture in drawn}.values())
            losses: dict[int, float] = {}
            for place, architecture in enumerate(different):
                try:
                    answer = self.cheap.estimate(space, Trial(architecture))
                    loss = self._wanted.loss(answer)
                    excluded = goal.excluded(dict(answer.metrics))
                except Exception as error:  # whatever an estimator of the user's own may raise
                    reason = in_one_line(error)
                else:
                    losses |= {place: loss} if isfinite(loss) and excluded is None else {}
                    reason = excluded or f"{self._wanted.metric} is {loss}"
            if not losses:
                raise ArchwrightError(f"no architecture of the pool can be ranked by {self.by}; of the last, {reason}")
            best = sorted(losses, key=losses.__getitem__)[: self._first]
            self._known.clear()
            self._known[space, goal, seed] = [different[place] for place in best]
        return self._known[space, goal, seed]

    @property
    def _first(self) -> int:
        """How many are asked."""
        if self.first is not None:
            return self.first
        own = (getattr(self.of, name, None) for name in BEGINNINGS)
        return next((count for count in own if isinstance(count, int)), 10)

    @cached_property
    def _wanted(self) -> Objective:
        wanted = parse(self.by)
        if not isinstance(wanted, Objective):
            raise ArchwrightError(f"a pool is ranked by an objective such as max:synflow, not by {self.by!r}")
        return wanted

    @cached_property
    def _known(self) -> dict[tuple[SearchSpace, Goal, int], list[Architecture]]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}
