"""A Bayesian mixture of parametric families: Domhan, Springenberg and Hutter, 2015."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, Philox, RandomState

from archwright.core.errors import ArchwrightError, one_of
from archwright.curves.extrapolator import Known, Prediction
from archwright.curves.families import FAMILIES

Array = np.ndarray[Any, np.dtype[np.float64]]

NOISE = (1e-3, 1.0)
"""Bounds of the noise's standard deviation, for scores in 0..1."""
RADIUS = (1e-3, 1e-1)
"""Of the ball round the maximum-likelihood start in which walkers begin, relative to each parameter."""
UNBOUNDED = 3.0
"""The limit of scores that aren't in 0..1, once mapped: they rise to less than six times what was seen of the rise."""
FLAT = (0.05, 5)
"""A curve begins where it rises by more than this within so many epochs; what lies before is passed over."""


@dataclass(frozen=True)
class ParametricMixture:
    """f(t) = sum of w_k f_k(t | theta_k) over the families, y = f + Gaussian noise.

    The prior is flat where all weights are above 0 and f is higher at the horizon than at the beginning;
    ours are wide bounds of all parameters, weights of at most 1, and f at the horizon of at most 1. Each family is
    fitted by itself; from these parameters, equal weights and the noise that is left, the affine-invariant ensemble
    sampler begins (Goodman and Weare, 2010; the package emcee, extra `curves`). It learns from no other curve and
    takes no numbers.

    Scores lie in 0..1, and so do predictions then. Any others are mapped there, the lowest seen to 0.1 and the highest
    to 0.6, with a limit of 3.

    All families level off. Where the learning rate falls to zero at the end, as with a cosine schedule, scores rise
    once more, which no family foresees: an extrapolator that learns from complete curves does.

    Attributes:
        families: names of `families.FAMILIES`; the paper's eleven.
        walkers: the authors' program has 100; at least two for each of the 48 parameters.
        steps: of each walker; the program's 2,500.
        burn_in: steps that are passed over; the program's 500.
        thin: of the others, every tenth is a sample, as in the program.
        recency: what the last score's term of the log-likelihood counts, where the first one's counts 1; those
            between rise geometrically. The program's 10.
    """

    families: tuple[str, ...] = tuple(FAMILIES)
    walkers: int = 100
    steps: int = 2_500
    burn_in: int = 500
    thin: int = 10
    recency: float = 10.0

    def __post_init__(self) -> None:
        for name in self.families:
            if name not in FAMILIES:
                raise ArchwrightError(one_of("family of curves", name, FAMILIES))
        parameters = sum(len(FAMILIES[name].start) + 1 for name in self.families) + 1
        if self.walkers < 2 * parameters or self.walkers % 2:
            raise ArchwrightError(
                f"{parameters} parameters need at least {2 * parameters} walkers, an even number, not {self.walkers}"
            )
        if not 0 <= self.burn_in < self.steps - self.thin:
            raise ArchwrightError(f"of {self.steps} steps none is left after a burn-in of {self.burn_in}")

    @property
    def least(self) -> int:
        """It needs no complete curve."""
        return 0

    def fit(self, known: Sequence[Known], seed: int = 0) -> ParametricMixture:
        """Itself: each curve is by itself.

        Raises:
            ArchwrightError: emcee is missing.
        """
        _emcee()
        return self

    def predict(self, curve: Sequence[float], horizon: int, numbers: Sequence[float] = (), seed: int = 0) -> Prediction:
        """Samples from the posterior predictive distribution of the score after `horizon` epochs.

        Raises:
            ArchwrightError: emcee is missing.
        """
        scores = np.asarray(curve, dtype=float)
        bounded = scores.min() >= 0.0 and scores.max() <= 1.0
        shift, scale = (0.0, 1.0) if bounded else _to_unit(scores)
        begin = after_flat_start((scores - shift) * scale)
        rng = Generator(Philox(key=seed))
        limit = 1.0 if bounded else UNBOUNDED
        posterior = Posterior(self, (scores[begin:] - shift) * scale, horizon - begin, limit)
        chain = self._sampled(posterior, rng)
        drawn = posterior.ends(chain) + chain[:, -1] * rng.standard_normal(len(chain))
        samples = drawn / scale + shift
        samples = np.clip(samples, 0.0, 1.0) if bounded else samples
        return Prediction(float(samples.mean()), float(samples.std()), samples)

    def _sampled(self, posterior: Posterior, rng: Generator) -> Array:
        """Samples of all parameters: (n, d)."""
        emcee = _emcee()
        begin = posterior.beginning(self.walkers, rng)
        sampler = emcee.EnsembleSampler(*begin.shape, posterior, vectorize=True)
        state = emcee.State(begin, random_state=RandomState(rng.integers(2**32)).get_state())
        with np.errstate(all="ignore"):
            if self.burn_in:
                state = sampler.run_mcmc(state, self.burn_in, store=False, skip_initial_state_check=True)
            samples = (self.steps - self.burn_in) // self.thin
            sampler.run_mcmc(state, samples, thin_by=self.thin, skip_initial_state_check=True)
        return np.asarray(sampler.get_chain(flat=True))


class Posterior:
    """The log of the posterior density of all walkers' parameters at once.

    A row holds each family's parameters, then the families' weights, then the noise's standard deviation.
    """

    def __init__(self, mixture: ParametricMixture, scores: Array, horizon: int, limit: float) -> None:
        self.limit = limit
        self.families = [FAMILIES[name] for name in mixture.families]
        self.scores = scores
        self.x = np.append(np.arange(1.0, len(scores) + 1), horizon)
        self.recency = mixture.recency ** np.linspace(0.0, 1.0, len(scores))
        ends = np.cumsum([len(family.start) for family in self.families])
        self.places = [slice(end - len(family.start), end) for family, end in zip(self.families, ends, strict=True)]
        count = len(self.families)
        self.weights = slice(-1 - count, -1)
        self.low, self.high = (
            np.array([value for bounds in given for value in bounds] + [weight] * count + [noise])
            for given, weight, noise in (
                ([family.low for family in self.families], 0.0, NOISE[0]),
                ([family.high for family in self.families], 1.0, NOISE[1]),
            )
        )

    def __call__(self, rows: Array) -> Array:
        """(n, d) -> (n,); minus infinity where the prior is 0."""
        answer = np.full(len(rows), -np.inf)
        inside = np.flatnonzero(((rows > self.low) & (rows < self.high)).all(axis=1))
        if len(inside) == 0:
            return answer
        with np.errstate(all="ignore"):
            curves, noise = self.curves(rows[inside], self.x), rows[inside, -1:]
            terms = -((self.scores - curves[:, :-1]) ** 2) / (2 * noise**2) - np.log(noise)
            density = terms @ self.recency
        rises = (curves[:, -1] >= curves[:, 0]) & (curves[:, -1] <= self.limit)
        fine = np.isfinite(density) & np.isfinite(curves[:, -1]) & rises
        answer[inside[fine]] = density[fine]
        return answer

    def curves(self, rows: Array, x: Array) -> Array:
        """The mixture f of each row after x (m,) epochs: (n, m)."""
        weights = rows[:, self.weights]
        return sum(  # type: ignore[return-value]
            weights[:, number, None] * family.curve(x, *rows[:, place].T[:, :, None])
            for number, (family, place) in enumerate(zip(self.families, self.places, strict=True))
        )

    def ends(self, rows: Array) -> Array:
        """The mixture at the horizon: (n,)."""
        with np.errstate(all="ignore"):
            return self.curves(rows, self.x[-1:])[:, 0]

    def likeliest(self) -> Array:
        """Each family's own maximum likelihood, equal weights, and the noise that is left: (d,)."""
        x = self.x[:-1]
        fits = [family.fit(x, self.scores, self.recency) for family in self.families]
        start = np.concatenate([*fits, np.full(len(fits), 1 / len(fits)), [NOISE[0]]])
        with np.errstate(all="ignore"):
            apart = self.scores - self.curves(start[None], x)[0]
        start[-1] = np.sqrt(np.average(np.nan_to_num(apart, nan=1.0) ** 2, weights=self.recency))
        return start

    def rising(self) -> Array:
        """Parameters of a curve that rises, whatever the scores do, with their mean: (d,)."""
        starts = np.concatenate([family.start for family in self.families])
        start = np.concatenate([starts, np.full(len(self.families), 1 / len(self.families)), [self.scores.std()]])
        start[self.weights] *= self.scores.mean() / self.curves(start[None], self.x[:-1]).mean()
        return start

    def beginning(self, walkers: int, rng: Generator) -> Array:
        """Where walkers begin, (walkers, d): close to the likeliest parameters, further off where the prior is 0 there.

        Where most find no place, as the scores fall and so does all that fits them, they begin at a curve that rises.
        """
        rows = self._around(self.likeliest(), walkers, rng)
        if 2 * len(rows) < walkers:
            rows = self._around(self.rising(), walkers, rng)
        return rows[np.arange(walkers) % len(rows)]

    def _around(self, start: Array, walkers: int, rng: Generator) -> Array:
        """Places in balls round `start` where the prior isn't 0, nearest first."""
        radius = np.repeat(np.geomspace(*RADIUS, 20), walkers)[:, None]
        rows = start + radius * (np.abs(start) + 1e-2) * rng.standard_normal((len(radius), len(start)))
        rows = self.low + np.abs(rows - self.low)  # at a bound: reflected
        rows = self.high - np.abs(self.high - rows)
        ends = np.nan_to_num(self.ends(rows), nan=1.0)
        rows[:, self.weights] *= np.minimum(1.0, 0.99 * self.limit / np.maximum(ends, 1e-9))[:, None]
        return np.asarray(rows[np.isfinite(self(rows))])


def after_flat_start(scores: Array) -> int:
    """Where a curve begins to rise (`FLAT`); 0 if it nowhere does."""
    rise, ahead = FLAT
    for place in range(len(scores) - 1):
        if scores[place + 1 : place + 1 + ahead].max() - scores[place] > rise:
            return place
    return 0


def _to_unit(scores: Array) -> tuple[float, float]:
    """Shift and scale that map the lowest score to 0.1 and the highest to 0.6; a constant curve to 0.1."""
    reach = float(np.ptp(scores))
    scale = 0.5 / reach if reach else 0.5 / (abs(float(scores[0])) or 1.0)
    return float(scores.min()) - 0.1 / scale, scale


def _emcee() -> Any:
    try:
        import emcee
    except ImportError:
        raise ArchwrightError(
            "ParametricMixture samples with emcee, which is not installed: pip install 'archwright[curves]'"
        ) from None
    return emcee
