"""What multi-fidelity strategies share: rungs of fidelity, brackets, and what a promotion is.

A trial is a *start*, or the *promotion* of one: the same architecture and seed at a higher fidelity, with the lower
evaluation for its parent. Where that repeats another answer, the architecture may be the one that was trained. Which it
is, the history tells, so nothing else has to be remembered.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.trial import Trial

ROUNDING = 1e-9
"""Of counts that are computed from fidelities: a third of three is one."""

THREE_DIGITS = 5e-3
"""How far a fraction may lie from its first three digits, relatively: so 0.334 is a third."""


@dataclass(frozen=True)
class Bracket:
    """One successive halving: how many trials reach which fidelity.

    Attributes:
        sizes: trials a rung, the first of them starts and the others promotions.
        levels: the rungs' fidelities, ascending.
    """

    sizes: tuple[int, ...]
    levels: tuple[float, ...]

    @property
    def trials(self) -> int:
        """How many there are, on all rungs."""
        return sum(self.sizes)


@dataclass(frozen=True)
class Rungs:
    """Ascending fidelities, the last of them 1.

    A rung hands on the share of its trials that gives each rung the same budget: the ratio of its fidelity to the next.
    That is 1 / eta where the fidelities are powers of eta.

    Raises:
        ArchwrightError: they don't ascend within 0 and 1, or don't end with 1.
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        ascending = all(low < high for low, high in zip((0.0, *self.levels), self.levels, strict=False))
        if not self.levels or not ascending or self.levels[-1] != 1.0:
            raise ArchwrightError(f"fidelities ascend from more than 0 to 1, the last of them, not {self.levels}")

    @classmethod
    def geometric(cls, eta: float, lowest: float) -> Rungs:
        """1, 1 / eta, 1 / eta ** 2, ... as far as `lowest`, the fidelity that the first rung has at least.

        A fraction may be given in three digits: 0.0371 is as good as 1 / 27.

        Raises:
            ArchwrightError: eta is not more than 1, or `lowest` outside (0, 1].
        """
        if not eta > 1 or not 0.0 < lowest <= 1.0:
            raise ArchwrightError(f"rungs need eta > 1 and a lowest fidelity in (0, 1], not {eta} and {lowest}")
        steps = math.floor(math.log((1.0 + THREE_DIGITS) / lowest) / math.log(eta))
        return cls(tuple(1.0 / eta**step for step in range(steps, -1, -1)))

    def kept(self, rung: int) -> float:
        """The share of rung number `rung` that is promoted to the next."""
        return self.levels[rung] / self.levels[rung + 1]

    def bracket(self, first: int, starts: int) -> Bracket:
        """The bracket of so many starts at rung `first`; at least one trial reaches each rung (Li et al., 2017)."""
        levels = self.levels[first:]
        return Bracket(tuple(max(1, at_most(starts * levels[0] / level)) for level in levels), levels)

    def brackets(self) -> tuple[Bracket, ...]:
        """Hyperband's, from the one of most starts and lowest fidelity to the one of full fidelity alone.

        Each has about the budget of (rungs x full fidelity) on each of its own rungs together (algorithm 1 of the
        paper, where s is the number of a bracket's promotions, R = 1 and B = s_max + 1).
        """
        whole = len(self.levels)
        starts = (whole / ((whole - first) * level) for first, level in enumerate(self.levels))
        return tuple(self.bracket(first, math.ceil(count - ROUNDING)) for first, count in enumerate(starts))


class Ranking:
    """Scored evaluations, best first: by loss; of several objectives, by how many others beat one. Ties by arrival."""

    def __init__(self, members: Iterable[Scored] = ()) -> None:
        self._ranked: list[tuple[float, tuple[float, ...], int]] = []
        self._members: list[tuple[Scored, list[int]]] = []  # of several objectives, each with [how many beat it]
        for member in members:
            self.add(member)

    def add(self, new: Scored) -> None:
        """Takes one in."""
        if len(new.losses) == 1:
            insort(self._ranked, (new.violation, new.losses, new.position))
            return
        beaten = 0
        for other, count in self._members:
            count[0] += new.beats(other)
            beaten += other.beats(new)
        self._members.append((new, [beaten]))

    def __iter__(self) -> Iterator[int]:
        """Their positions in the history."""
        if self._members:
            yield from (scored.position for scored, _ in sorted(self._members, key=lambda member: member[1]))
        yield from (position for _, _, position in self._ranked)


def promoted(history: History, position: int, fidelity: float) -> Trial:
    """The architecture and seed of an evaluation again, at a higher fidelity, continued from what it trained."""
    return replace(history[position].trial, fidelity=fidelity, parent=position)


def trained(history: History, position: int) -> Architecture:
    """The architecture that was trained for an answer: of a repeated one, that of the answer which it repeats."""
    original = history[position].reused
    return history[position if original is None else original].trial.architecture


def is_promotion(history: History, trial: Trial) -> bool:
    """Whether its parent is the same architecture at a lower fidelity, or repeats the answer of that."""
    if trial.parent is None:
        return False
    parent = history[trial.parent].trial
    same = trial.architecture in (parent.architecture, trained(history, trial.parent))
    return same and parent.seed == trial.seed and parent.fidelity < trial.fidelity


def distinct(history: History, positions: Iterable[int]) -> list[Scored]:
    """The successes among evaluations; of those that repeat one answer the first."""
    found: dict[int, Scored] = {}
    for position in positions:
        scored = history.scored(position)
        if scored is not None:
            original = scored.evaluation.reused
            found.setdefault(position if original is None else original, scored)
    return list(found.values())


def at_most(count: float) -> int:
    """The whole part of a count that was computed from fidelities."""
    return math.floor(count + ROUNDING)
