"""What extrapolators that learn from complete curves have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.curves.extrapolator import Known, Prediction, finite

Array = np.ndarray[Any, np.dtype[np.float64]]


class Model(Protocol):
    """What a model has learnt for one horizon."""

    def __call__(self, curve: Sequence[float], numbers: Sequence[float], seed: int) -> Prediction:
        """The score at the horizon, from the beginning of a curve and the architecture's numbers."""
        ...


@dataclass(frozen=True)
class Range:
    """Where the known scores lie, whatever a few trainings that diverge come to.

    Attributes:
        middle: the median.
        spread: between the outer tenths; more than 0.
    """

    middle: float
    spread: float

    @classmethod
    def of(cls, scores: Array) -> Range:
        """That of scores of any shape."""
        low, middle, high = np.quantile(scores, (0.1, 0.5, 0.9))
        return cls(float(middle), float(high - low) or float(scores.std()) or 1.0)

    def cut(self, scores: Array, reach: float) -> Array:
        """The scores, cut off where they are further than `reach` spreads from the middle."""
        return np.clip(scores, self.middle - reach * self.spread, self.middle + reach * self.spread)


class Learns(ABC):
    """Settings of a model of curves; `fit` gives it curves to learn from."""

    least: int

    @abstractmethod
    def learn(self, known: Sequence[Known], horizon: int, seed: int) -> Model:
        """What curves of at least `horizon` epochs teach."""

    def fit(self, known: Sequence[Known], seed: int = 0) -> Learnt:
        """The curves to learn from; it learns when a prediction is asked for.

        Raises:
            ArchwrightError: fewer than `least`.
        """
        return Learnt(self, tuple(known), seed)

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """Not before `fit`.

        Raises:
            ArchwrightError: always.
        """
        name = type(self).__name__
        raise ArchwrightError(f"{name} has to learn from {self.least} complete curves first: ask fit(known) to predict")


@dataclass(frozen=True)
class Learnt:
    """A model with the curves that it learns from, which it does for each horizon when it is first asked for.

    Attributes:
        settings: of the model.
        known: complete curves. Those with a score that is no finite number are not learnt from.
        seed: of what is random in the learning.
    """

    settings: Learns
    known: tuple[Known, ...]
    seed: int = 0
    _models: dict[int, Model] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _enough(self.settings, len(self.known), "")

    @property
    def least(self) -> int:
        """Nothing more is needed."""
        return 0

    def fit(self, known: Sequence[Known], seed: int = 0) -> Learnt:
        """The same settings with other curves; itself if there are none."""
        return self.settings.fit(known, seed) if known else self

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """The model's prediction; without the numbers, where no known curve has any.

        Raises:
            ArchwrightError: fewer than `least` of the known curves reach the horizon, or they have other numbers; or
                a score is no finite number.
        """
        if not finite(curve):
            raise ArchwrightError(
                "a curve with a score that is no finite number goes on in no way that could be learnt"
            )
        numbers = numbers if any(one.numbers for one in self.known) else ()
        if any(len(one.numbers) != len(numbers) for one in self.known):
            raise ArchwrightError(f"this curve comes with {len(numbers)} numbers, and not all of the known ones do")
        if horizon not in self._models:
            complete = [one for one in self.known if len(one.curve) >= horizon and finite(one.curve[:horizon])]
            _enough(self.settings, len(complete), f" of {horizon} epochs")
            self._models[horizon] = self.settings.learn(complete, horizon, seed_for("curves", self.seed, horizon))
        return self._models[horizon](curve, numbers, seed)


def _enough(settings: Learns, known: int, what: str) -> None:
    if known < settings.least:
        name = type(settings).__name__
        raise ArchwrightError(
            f"{name} learns from at least {settings.least} complete curves{what}, and {known} are known"
        )
