"""What strategies have in common that learn from one evaluation after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from archwright.core.history import Fold, History
from archwright.core.protocols import SearchSpace

State = TypeVar("State")


@dataclass
class Learner(ABC, Generic[State]):
    """Its state is a fold over the history: a cache, left behind when the strategy is copied or sent to a process."""

    _fold: tuple[SearchSpace, Fold[State]] | None = field(default=None, init=False, repr=False, compare=False)

    @abstractmethod
    def begin(self, space: SearchSpace) -> State:
        """What it knows before the first evaluation."""

    @abstractmethod
    def learn(self, state: State, space: SearchSpace, history: History, position: int) -> None:
        """Changes the state by the evaluation at `position`. It looks at none behind it, nor at what is pending."""

    def learned(self, space: SearchSpace, history: History) -> State:
        """The state after all evaluations of `history`."""
        if self._fold is None or self._fold[0] is not space:

            def step(state: State, history: History, position: int) -> State:
                self.learn(state, space, history, position)
                return state

            self._fold = (space, Fold(lambda: self.begin(space), step))
        return self._fold[1](history)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fold": None}
