"""BOHB's sampler, kernel density estimates of good and bad: Falkner, Klein and Hutter, 2018, section 3.2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Open, from_unit
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.encodings import OneHot
from archwright.spaces.operators import sample, trace
from archwright.strategies.candidates import choose
from archwright.strategies.learner import Learner
from archwright.strategies.models.parzen import cell
from archwright.strategies.scalar import bounded, lesson, scalarised

if TYPE_CHECKING:
    from numpy.random import Generator

    from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]

NARROWEST = 1e-3
"""Of bandwidths (the authors' program, HpBandSter)."""


@dataclass
class KernelDensity(Learner["Points"]):
    """The best evaluations give a density l, the others a density g; of candidates round good ones the largest l / g.

    TPE, but with one density over all decisions together, so that it sees how they interact. What an architecture does
    not decide is imputed from one that does. Several objectives are made one, anew for each proposal (ParEGO). What
    constraints exclude is ranked behind all else. What was asked is not asked again.

    Bandwidths are those of the normal reference rule, 1.06 sigma n^(-1 / (d + 4)). The authors' program applies it to
    the numbers of options, whose order means nothing; here sigma^2 of a Choice is half the probability that two
    evaluations took different options, which for two options is the same. An option's kernel is Aitchison and Aitken's.

    Attributes:
        share: q, of the evaluations that are good ones; 0.15.
        candidates: 64.
        interleaved: rho, the share of the proposals that are random; 1/3.
        widened: b_w, by which the bandwidths of numbers are multiplied for drawing candidates; 3. Those of options stay
            as they are, as in the authors' program.
    """

    share: float = 0.15
    candidates: int = 64
    interleaved: float = 1 / 3
    widened: float = 3.0

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A random architecture by chance and while there is too little to learn from, then the best candidate."""
        points = self.learned(space, history)
        known, least = bounded(points.known), points.width + 1  # N_min of the paper
        if len(known) < least + 2 or not points.width or rng.random() < self.interleaved:
            return Trial(sample(space, rng))
        order = np.argsort(scalarised(known, rng), kind="stable")
        few = max(least, round(self.share * len(order)))  # equation 4
        many = max(least, len(order) - few)
        parts = (np.sort(part).tolist() for part in (order[:few], order[len(order) - many :]))
        good, bad = (points.density([known[place] for place in part]) for part in parts)
        found: dict[Architecture, Array] = {}
        for _ in range(self.candidates):
            vector = good.draw(rng, self.widened)
            made = points.architecture(space, vector)
            if space.excluded(made) is None:
                found[made] = vector
        drawn = np.array(list(found.values())).reshape(len(found), points.width)
        return Trial(choose(space, history, list(found), good.log(drawn) - bad.log(drawn)) or sample(space, rng))

    def begin(self, space: SearchSpace) -> Points:
        """No point."""
        return Points(space)

    def learn(self, state: Points, space: SearchSpace, history: History, position: int) -> None:
        """Takes in a success, or a rejection that says how far it is outside."""
        learnt = lesson(history, position)
        if learnt is not None:
            state.known.append(learnt)
            state.vectors[position] = state.vector(history[position].trial.architecture)


class Points:
    """Architectures as vectors with a coordinate a decision: an option's index, or a number's place in its range.

    Attributes:
        known: the lessons.
        vectors: theirs, by position in the history; NaN where an architecture does not decide.
        width: the vectors' length.
    """

    def __init__(self, space: SearchSpace) -> None:
        slots = OneHot(cast("Space", space)).slots
        self.places = {name: place for place, name in enumerate(slots)}
        self.options = np.array([len(c.options) if isinstance(c, Choice) else 0 for c in slots.values()], dtype=int)
        self.width = len(slots)
        self.known: list[Scored] = []
        self.vectors: dict[int, Array] = {}
        self._choices: Sequence[Open] = tuple(slots.values())

    def vector(self, architecture: Architecture) -> Array:
        """Of an architecture: (width,)."""
        vector = np.full(self.width, np.nan)
        for name, value in architecture:
            place = self.places[name]
            choice = self._choices[place]
            vector[place] = value if isinstance(choice, Choice) else sum(cell(choice, value)) / 2.0
        return vector

    def architecture(self, space: SearchSpace, vector: Array) -> Architecture:
        """What a vector without NaN decides; coordinates that are not asked for are left out."""

        def decide(name: str, choice: Open) -> Value:
            value = float(vector[self.places[name]])
            return int(value) if isinstance(choice, Choice) else from_unit(choice, value)

        return trace(space, decide)

    def density(self, some: Sequence[Scored]) -> Kernels:
        """Of some of the known; each gap takes a value that another of them has there, or a random one if none has."""
        points = np.array([self.vectors[scored.position] for scored in some])
        rng = np.random.default_rng(seed_for("impute", len(self.known), len(some)))
        for place in np.flatnonzero(np.isnan(points).any(axis=0)).tolist():
            column, options = points[:, place], int(self.options[place])
            gaps = np.isnan(column)
            pool = column[~gaps] if not gaps.all() else np.arange(options) if options else rng.random(len(some))
            points[gaps, place] = rng.choice(pool, int(gaps.sum()))
        return Kernels(points, self.options)


class Kernels:
    """A density: a product of kernels over the coordinates round each point, and the mean of these products.

    Attributes:
        points: (n, d).
        options: how many a coordinate has to choose from, 0 for numbers in [0, 1]: (d,).
        widths: of numbers the standard deviation, of options the probability of another one: (d,).
    """

    def __init__(self, points: Array, options: np.ndarray[Any, np.dtype[Any]]) -> None:
        self.points, self.options = points, options
        count, columns = points.shape
        spread = points.std(axis=0)
        for place in np.flatnonzero(options).tolist():
            shares = np.bincount(points[:, place].astype(int), minlength=options[place]) / count
            spread[place] = math.sqrt(0.5 * (1.0 - float((shares**2).sum())))
        widest = np.where(options > 0, 1.0 - 1.0 / np.maximum(options, 1), np.inf)  # where all options are alike
        self.widths = np.clip(1.06 * spread * count ** (-1.0 / (columns + 4)), NARROWEST, widest)

    def draw(self, rng: Generator, widened: float) -> Array:
        """A point moved by the kernels, those of numbers so many times as wide, and cut off outside [0, 1]: (d,)."""
        point: Array = self.points[int(rng.random() * len(self.points))].copy()
        chance, share = rng.random(len(point)), rng.random(len(point))
        moves = (self.options > 0) & (chance < self.widths)  # to one of the other options
        steps = 1 + np.floor(share[moves] * (self.options[moves] - 1))
        point[moves] = (point[moves] + steps) % self.options[moves]
        numbers = self.options == 0
        old, width = point[numbers], widened * self.widths[numbers]
        low, high = ndtr(-old / width), ndtr((1.0 - old) / width)
        point[numbers] = np.clip(old + width * ndtri(low + share[numbers] * (high - low)), 0.0, 1.0)
        return point

    def log(self, at: Array) -> Array:
        """The logarithm of the density at the places (m, d): (m,)."""
        total = np.zeros((len(at), len(self.points)))
        for place, (options, width) in enumerate(zip(self.options.tolist(), self.widths.tolist(), strict=True)):
            apart = at[:, place, None] - self.points[None, :, place]
            if not options:
                total -= 0.5 * (apart / width) ** 2 + math.log(width * math.sqrt(2.0 * math.pi))
            elif options > 1:
                total += np.where(apart == 0.0, math.log1p(-width), math.log(width / (options - 1)))
        return np.asarray(logsumexp(total, axis=1) - math.log(len(self.points)))
