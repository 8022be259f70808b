"""Successive halving: Jamieson and Talwalkar, 2016; as in Hyperband (Li et al., 2017, algorithm 1)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.strategies.ladder import Ladder
from archwright.strategies.multi_fidelity import MultiFidelity, Promotion, Start
from archwright.strategies.rungs import ROUNDING, Bracket, Ranking, distinct


@dataclass(frozen=True)
class Halving(MultiFidelity):
    """Brackets in turn, again and again; a named strategy says which.

    Nobody idles: while a rung waits for its last results, the next bracket begins. In a rung, what failed is never
    promoted, and of equal answers one. Which bracket a start belongs to follows from its fidelity and from how many
    starts at that fidelity were asked before it.
    """

    @property
    @abstractmethod
    def brackets(self) -> tuple[Bracket, ...]:
        """The brackets, each beginning at another fidelity."""

    def move(self, history: History, ladder: Ladder, fresh: bool) -> Start | Promotion:
        """The oldest bracket's that has one."""
        if fresh:
            self._closed[:] = [0]
        number = self._closed[0]
        while True:
            turn, kind = divmod(number, len(self.brackets))
            found = step(history, ladder, self.brackets[kind], turn)
            if isinstance(found, Start | Promotion):
                return found
            number += 1
            if found and number == self._closed[0] + 1:
                self._closed[0] = number

    @cached_property
    def _closed(self) -> list[int]:
        """How many brackets, from the first on, have come to their end: a cache like the ladder."""
        return [0]


@dataclass(frozen=True)
class SuccessiveHalving(Halving):
    """Many trials at the lowest fidelity, the best 1 / eta of them at the next, and so on to full fidelity; then anew.

    `of` may be any strategy that proposes architectures. Of one that waits for all that it asked (NASH, EAS, PathLevel)
    random architectures take some turns as soon as there are several workers, and LocalSearch comes near random search.

    Attributes:
        trials: how many a bracket begins with; None is as many as leave one at full fidelity.
    """

    trials: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trials is not None and self.trials < 1:
            raise ArchwrightError(f"a bracket needs at least 1 trial, not {self.trials}")

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """One."""
        return (self.rungs.bracket(0, self.trials or math.ceil(1.0 / self.rungs.levels[0] - ROUNDING)),)


def step(history: History, ladder: Ladder, bracket: Bracket, turn: int) -> Start | Promotion | bool:
    """What a bracket asks for next, when it is begun for the `turn`-th time; if nothing, whether it is at its end."""
    size = bracket.sizes[0]
    rung: Sequence[int] = ladder.starts[bracket.levels[0]][turn * size : (turn + 1) * size]
    if len(rung) < size:
        return Start(bracket.levels[0])
    for size, level in zip(bracket.sizes[1:], bracket.levels[1:], strict=True):
        if not all(number in ladder.positions for number in rung):
            return False
        rung, best = [], list(Ranking(distinct(history, (ladder.positions[number] for number in rung))))[:size]
        for position in best:
            promotion = ladder.promotions.get(history.numbers[position])
            if promotion is None:
                return Promotion(position, level)
            rung.append(promotion)
    return all(number in ladder.positions for number in rung)
