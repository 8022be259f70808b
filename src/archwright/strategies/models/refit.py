"""When a strategy's model is fitted anew, and where what was fitted is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from archwright.core.history import History
from archwright.core.protocols import SearchSpace

Model = TypeVar("Model")


def refit_length(length: int) -> int:
    """The number of lessons, at most `length`, that a model is to be fitted to: each up to 10, then a fifth more.

    So the model depends on the history alone, whoever asks and whenever, and a thousand evaluations cost 36 fits.
    """
    reached = min(length, 10)
    while reached >= 10 and reached + reached // 5 <= length:
        reached += reached // 5
    return reached


class Refits(Generic[Model]):
    """What was made from the first n lessons of a history: a cache, empty again on another history or space.

    A strategy holds one and drops it when it is pickled. What `make` makes may depend on the space and on
    `lessons(history)[:n]` only; its randomness is seeded by n.
    """

    def __init__(self) -> None:
        self._owner: tuple[SearchSpace, History] | None = None
        self._kept: dict[Any, Model] = {}

    def __call__(self, space: SearchSpace, history: History, key: Any, make: Callable[[], Model]) -> Model:
        """The model of `key`, which holds n; made now if it is not known."""
        if self._owner is None or self._owner[0] is not space or self._owner[1] is not history:
            self._owner, self._kept = (space, history), {}
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
