"""PNAS, progressive search: Liu, Zoph, Neumann, Shlens, Hua, Li, Fei-Fei, Yuille, Huang and Murphy, 2018."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Integer, Open, to_unit
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.encodings import OneHot
from archwright.spaces.operators import draw, lengths, sample, trace, with_decision
from archwright.strategies.candidates import choose, new
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import warped_losses
from archwright.strategies.scalar import bounded, lessons

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.predictors.ensemble import Ensemble
    from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

TRIES = 100
"""Random architectures of level 0 that are drawn to find a new one."""

BARREN = 100
"""Rejections in a row after which a level is left, where there are few levels."""

BARREN_IN_ALL = 500
"""Rejections in a row over all levels, at most: a search ends after 1,000."""

TIMES = ".times"
"""What the name of a Repeat's length ends with."""


@dataclass
class PNAS:
    """From the smallest architectures level by level to the largest; a predictor says which larger ones are evaluated.

    Algorithm 1 of the paper. A level is the sum of the lengths of all growing Repeats (those whose `times` is an
    Integer). Level 0 is random, or all there is; each later one holds `beam` of the architectures that are one
    repetition longer than one of the level before, the best by the mean of an ensemble of networks, which is trained
    anew at each level. The networks read decisions averaged over the repetitions, so that they can judge what is longer
    than all they have seen: a network on mean-pooled embeddings, as in the paper (section 4.2), is a network on
    mean-pooled one-hot vectors.

    Ours: of very many longer architectures a sample is compared. After the last level its search goes on, the predictor
    trained anew after each further `beam`. Several objectives are made one, anew for each training (ParEGO). What
    constraints reject takes no place on its level, and the predictor learns from it; a level is left whose latest
    `BARREN` architectures, or fewer where there are many levels, were all rejected. Where none of a level succeeded,
    any of it is made longer.

    Attributes:
        beam: K, evaluations a level; the paper's 256 need 1,160 evaluations for 5 levels.
        candidates: longer architectures that are compared for each proposal.
        members: networks of the ensemble; the paper's 5.
        width, epochs: units of the one hidden layer, and passes over the data.

    Raises (at the first proposal):
        ArchwrightError: nothing in the space grows.
    """

    beam: int = 20
    candidates: int = 300
    members: int = 5
    width: int = 100
    epochs: int = 150
    _refits: Refits[Ensemble] = field(default_factory=Refits, init=False, repr=False, compare=False)
    _known_growth: Growth | None = field(default=None, init=False, repr=False, compare=False)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A new architecture of the first level that is not full; where a level has no more, of the next."""
        growth = self._growth(space)
        filled, barren = growth.filled(history)
        levels = [level for level in range(growth.levels) if level not in barren]
        for level in levels:
            if filled[level] < self.beam or level == levels[-1]:
                made = self._made(growth, history, rng, level) if level else growth.start(history, rng)
                if made is not None:
                    return Trial(made)
        return Trial(sample(space, rng))

    def _made(self, growth: Growth, history: History, rng: Generator, level: int) -> Architecture | None:
        """One repetition longer than an architecture of the level before, the best by prediction."""
        parents = growth.of_level(level - 1, map(_at, history.succeeded))
        parents = parents or growth.of_level(level - 1, (evaluation.trial.architecture for evaluation in history))
        if not parents:
            return None
        drawn = (growth.longer(parents[turn % len(parents)], rng) for turn in range(self.candidates))
        longer = list(dict.fromkeys(made for made in drawn if made is not None))
        if not longer:
            return None
        known = lessons(history)
        levels = [growth.level(_at(scored)) for scored in known]
        here = [scored for scored, found in zip(known, levels, strict=True) if found == level]
        first = [scored for scored, found in zip(known, levels, strict=True) if found < level]
        first += here[: len(here) // self.beam * self.beam]
        if not first:
            return next(new(growth.space, history, longer), None)
        predictor = self._refits(growth.space, history, (level, len(first)), partial(self._trained, growth, first))
        predicted = predictor.predict(np.array([growth.vector(architecture) for architecture in longer]))
        return choose(growth.space, history, longer, -predicted.mean(axis=0))

    def _trained(self, growth: Growth, first: list[Scored]) -> Ensemble:
        from archwright.predictors.ensemble import Ensemble  # torch loads when it is needed

        known, seed = bounded(first), seed_for("pnas", len(first))
        losses = warped_losses(known, np.random.default_rng(seed))
        vectors = np.array([growth.vector(_at(scored)) for scored in known])
        return Ensemble(self.members, layers=1, width=self.width, epochs=self.epochs).fit(vectors, losses, seed)

    def _growth(self, space: SearchSpace) -> Growth:
        if self._known_growth is None or self._known_growth.space is not space:
            self._known_growth = Growth(space)
        return self._known_growth

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_refits": Refits(), "_known_growth": None}


class Growth:
    """What grows in a space.

    Attributes:
        levels: how many there are.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        slots, repeated = OneHot(cast("Space", space)).slots, lengths(cast("Space", space))
        self.times = {
            name: choice
            for name, choice in slots.items()
            if isinstance(choice, Integer) and id(choice) in repeated and choice.low < choice.high
        }
        if not self.times:
            raise ArchwrightError(
                "PNAS begins with short architectures and lengthens them, and nothing in this space grows: "
                "it needs a Repeat whose times is an Integer, as in archwright.spaces.pnas()"
            )
        self.levels = 1 + sum(choice.high - choice.low for choice in self.times.values())
        # Of a Repeat whose length is shared and decided elsewhere nothing is averaged: its names look like a list's.
        repeats = [name.removesuffix(TIMES) for name, choice in slots.items() if id(choice) in repeated]
        self._place = re.compile("|".join(rf"(?<={re.escape(name)})\[\d+\]" for name in repeats))
        self._columns: dict[tuple[str, str], int] = {}
        for name, choice in slots.items():
            for text in choice.labels if isinstance(choice, Choice) else ("made", "value"):
                self._columns.setdefault((self._pooled(name), text), len(self._columns))
        self._choices = slots

    def level(self, architecture: Architecture) -> int:
        """By how many repetitions it is longer than the shortest of its kind."""
        return sum(int(value) - self.times[name].low for name, value in architecture if name in self.times)

    def of_level(self, level: int, architectures: Iterable[Architecture]) -> list[Architecture]:
        """Those of a level."""
        return [architecture for architecture in architectures if self.level(architecture) == level]

    def filled(self, history: History) -> tuple[Counter[int], set[int]]:
        """How many architectures each level has, without the rejected ones; and the levels that are left."""
        counted: set[Architecture] = {trial.architecture for trial in history.pending.values()}
        rejected: Counter[int] = Counter()  # in a row
        for evaluation in history:
            level = self.level(evaluation.trial.architecture)
            rejected[level] = rejected[level] + 1 if evaluation.rejected else 0
            if not evaluation.rejected:
                counted.add(evaluation.trial.architecture)
        enough = max(1, min(BARREN, BARREN_IN_ALL // self.levels))
        return Counter(map(self.level, counted)), {level for level, count in rejected.items() if count >= enough}

    def start(self, history: History, rng: Generator) -> Architecture | None:
        """A random architecture of level 0 that is new; None if there seems to be none left."""

        def decide(name: str, choice: Open) -> Value:
            return self.times[name].low if name in self.times else draw(choice, rng)

        def drawn() -> Iterator[Architecture]:
            for _ in range(TRIES):
                made = trace(self.space, decide)
                if self.space.excluded(made) is None:
                    yield made

        return next(new(self.space, history, drawn()), None)

    def longer(self, architecture: Architecture, rng: Generator) -> Architecture | None:
        """With one repetition more, its decisions drawn; None if it can't grow, or the space excludes what results."""
        open_ended = [name for name, value in architecture if name in self.times and value < self.times[name].high]
        if not open_ended:
            return None
        name = open_ended[int(rng.random() * len(open_ended))]
        made = with_decision(self.space, architecture, name, architecture[name] + 1, rng)
        return made if self.space.excluded(made) is None and self.level(made) == self.level(architecture) + 1 else None

    def vector(self, architecture: Architecture) -> Array:
        """One-hot decisions, averaged over the repetitions that make them: (columns,)."""
        vector, made = np.zeros(len(self._columns)), np.zeros(len(self._columns))
        for name, value in architecture:
            choice, pooled = self._choices[name], self._pooled(name)
            if isinstance(choice, Choice):
                vector[self._columns[pooled, choice.labels[int(value)]]] += 1.0
                made[[self._columns[pooled, text] for text in choice.labels]] += 1.0
            else:
                places = [self._columns[pooled, "made"], self._columns[pooled, "value"]]
                vector[places] += 1.0, to_unit(choice, value)
                made[places] += 1.0
        return vector / np.maximum(made, 1.0)

    def _pooled(self, name: str) -> str:
        """A decision's name without the places in Repeats."""
        return self._place.sub("", name)


def _at(scored: Scored) -> Architecture:
    return scored.evaluation.trial.architecture
