"""The only state that a strategy has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

from archwright.core.objective import Goal, dominates
from archwright.core.trial import Evaluation, Trial


@dataclass(frozen=True, slots=True)
class Scored:
    """An evaluation with what the goal makes of it."""

    evaluation: Evaluation
    position: int
    losses: tuple[float, ...]  # smaller is better; empty for a failure
    violation: float  # 0.0 is feasible

    def beats(self, other: Scored) -> bool:
        """Constrained domination (Deb, 2000): the less violating one, else Pareto dominance."""
        if self.violation != other.violation:
            return self.violation < other.violation
        return bool(self.losses) and dominates(self.losses, other.losses)


class History(Sequence[Evaluation]):
    """An append-only sequence of evaluations, in the order in which they arrived, and what is pending.

    Strategies read it; only the search appends.

    Attributes:
        goal: the objectives and constraints.
        pending: trials asked and not yet answered, by their number, in the order of asking.
        succeeded: the evaluations without failure, scored, in the order of arrival.
        asked: how many trials were ever proposed (answered or pending).
        numbers: of each evaluation, the number under which it was asked: trials may arrive in another order.
        spent: how many evaluations cost something: neither repetitions nor rejections.
        epochs: the sum of the metric `epochs`, for estimators that train; rejections after a cheap training count.
    """

    def __init__(self, goal: Goal | Any, evaluations: Sequence[Evaluation] = ()) -> None:
        self.goal = Goal.of(goal)
        self.pending: dict[int, Trial] = {}
        self.succeeded: list[Scored] = []
        self.numbers: list[int] = []
        self.asked = self.spent = 0
        self.epochs = 0.0
        self._scored: dict[int, Scored] = {}
        self._front: list[Scored] = []
        self._fullest = 0.0  # the highest fidelity in the front
        self._evaluations: list[Evaluation] = []
        for evaluation in evaluations:
            self.append(self.ask(evaluation.trial), evaluation)

    @property
    def under_way(self) -> dict[int, Trial]:
        """The pending trials whose answers may still come: all, but for the history that a sampler sees inside another
        strategy."""
        return self.pending

    def ask(self, trial: Trial) -> int:
        """Notes a trial as pending and returns its number."""
        number = self.asked
        self.pending[number] = trial
        self.asked += 1
        return number

    def append(self, number: int, evaluation: Evaluation) -> Evaluation:
        """Notes the answer to pending trial `number`.

        Raises:
            BadObjective: it succeeded but lacks a metric of the goal; nothing is changed then.
        """
        if evaluation.failure is None:
            losses, violation = self.goal.losses(evaluation), self.goal.violation(evaluation)
            scored = Scored(evaluation, len(self._evaluations), losses, violation)
        del self.pending[number]
        if evaluation.failure is None:
            self.succeeded.append(scored)
            self._scored[scored.position] = scored
            self._enter_front(scored)
        if evaluation.reused is None:
            self.spent += not evaluation.rejected
            self.epochs += evaluation.metrics.get("epochs", 0.0)
        self._evaluations.append(evaluation)
        self.numbers.append(number)
        return evaluation

    def scored(self, position: int) -> Scored | None:
        """What the goal makes of the evaluation at `position`; None for a failure."""
        return self._scored.get(position)

    def __len__(self) -> int:
        return len(self._evaluations)

    @overload
    def __getitem__(self, index: int) -> Evaluation: ...
    @overload
    def __getitem__(self, index: slice) -> list[Evaluation]: ...
    def __getitem__(self, index: int | slice) -> Evaluation | list[Evaluation]:
        return self._evaluations[index]

    def __iter__(self) -> Iterator[Evaluation]:
        return iter(self._evaluations)

    @property
    def best(self) -> Scored | None:
        """The incumbent: of the feasible ones, the smallest first objective of the non-dominated; None if none."""
        return min(self._front, key=lambda scored: scored.losses, default=None)

    def front(self) -> list[Scored]:
        """The feasible non-dominated evaluations at the highest fidelity seen, of equal ones the earliest.

        Sorted by the first objective.
        """
        return sorted(self._front, key=lambda scored: scored.losses)

    def _enter_front(self, scored: Scored) -> None:
        fidelity = scored.evaluation.trial.fidelity
        if scored.violation > 0.0 or fidelity < self._fullest:
            return
        if fidelity > self._fullest:
            self._front, self._fullest = [], fidelity
        if not any(_covers(kept, scored) for kept in self._front):
            self._front = [kept for kept in self._front if not _covers(scored, kept)] + [scored]


def best_of(candidates: Sequence[Scored]) -> Scored:
    """The candidate that the fewest others beat, the first among equals: with one objective, the best."""
    if len(candidates[0].losses) == 1:
        return min(candidates, key=attrgetter("violation", "losses"))
    return min(candidates, key=lambda scored: sum(other.beats(scored) for other in candidates))


def _covers(left: Scored, right: Scored) -> bool:
    return all(a <= b for a, b in zip(left.losses, right.losses, strict=True))


State = TypeVar("State")


class Fold(Generic[State]):
    """A state computed from a history, one evaluation at a time, remembering how far it got.

    It is a cache and nothing more: on another or shorter history it starts anew.
    """

    def __init__(self, start: Callable[[], State], step: Callable[[State, History, int], State]) -> None:
        self._start, self._step = start, step
        self._history: History | None = None
        self._position = 0
        self._state = start()

    def __call__(self, history: History) -> State:
        """The state after all evaluations of `history`."""
        if history is not self._history or len(history) < self._position:
            self._history, self._position, self._state = history, 0, self._start()
        while self._position < len(history):
            self._state = self._step(self._state, history, self._position)
            self._position += 1
        return self._state
