"""ASHA: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar, 2020."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from archwright.core.history import History
from archwright.strategies.ladder import Ladder
from archwright.strategies.multi_fidelity import MultiFidelity, Promotion, Start
from archwright.strategies.rungs import at_most

EXHAUSTED = 20
"""Repetitions in a row on the lowest rung after which nothing new is expected there."""


@dataclass(frozen=True)
class ASHA(MultiFidelity):
    """Whoever is among the best 1 / eta of its rung is promoted at once; if there is nobody, the lowest rung grows.

    Asynchronous successive halving, algorithm 2 of the paper, which looks for promotions from the highest rung down.
    Nothing waits, so that any number of workers is kept busy; the price is promotions that a complete rung would not
    have made. A failure counts in the size of its rung and is never promoted; an answer that repeats another one does
    not count.

    Ours: where the lowest rung's latest `EXHAUSTED` answers are repetitions, the space is used up and no rung grows any
    more. Then the best that was not promoted is, of the highest rung that has one, so that small spaces are evaluated
    in full.

    `of` may be any strategy that proposes architectures. Of one that waits for all that it asked (NASH, EAS, PathLevel)
    random architectures take some turns as soon as there are several workers, and LocalSearch comes near random search.

    Attributes:
        eta: 4 in the paper's experiments; 3 here, as for the others.
    """

    def move(self, history: History, ladder: Ladder, fresh: bool) -> Start | Promotion:
        """`get_job` of the paper."""
        levels = self.rungs.levels
        latest = ladder.answered[levels[0]][-EXHAUSTED:]
        exhausted = len(latest) == EXHAUSTED and all(history[position].reused is not None for position in latest)
        for rung in reversed(range(len(levels) - 1)):
            size = ladder.size(levels[rung])
            quota = size if exhausted else at_most(self.rungs.kept(rung) * size)
            for position in islice(ladder.ranking(levels[rung]), quota):
                if history.numbers[position] not in ladder.promotions:
                    return Promotion(position, levels[rung + 1])
        return Start(levels[0])
