"""Networks from what a curve is like to its course, learnt from other curves; after LC-Net (Klein et al., 2017a)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.core.errors import ArchwrightError
from archwright.curves.extrapolator import Known, Prediction
from archwright.curves.learnt import Learns, Range

Array = np.ndarray[Any, np.dtype[np.float64]]

HIDDEN = 32
"""Units in each of a decoder's two hidden layers."""
RATES = (0.01, 0.03)
"""Adam's, of the decoders' weights and of the latent variables; both fall to 0 along a cosine."""
PLACES = 60
"""Of a longer curve, about as many epochs are learnt from, and as many again evenly: the first ones lie denser."""
DRAWS = 4_000
"""Of the latent variables, for a prediction."""
EFFECTIVE = 50
"""Draws that have to carry the weight (Kong's effective sample size), or else the likelihood is flattened."""
HILL = (0.03, 0.1, 0.3)
"""Where Hill's curves are halfway, in shares of the horizon."""
REACH = 5.0
"""Scores are standardised by the known ones' quantiles, and cut off at plus and minus this."""


@dataclass(frozen=True)
class LatentCurves(Learns):
    """A curve is what a network decodes from a few latent variables, normal beforehand, and the architecture's numbers.

    As in LC-Net, the network gives an asymptote (here the score at the horizon), the weights of basis functions of
    learning curves (of Domhan's vapour-pressure, logarithm and Hill families) and the noise. LC-Net tells curves apart
    by their configurations alone, and samples its weights anew for each prediction, by Hamiltonian Monte Carlo. Here
    each curve has latent variables of its own: they are learnt beside the weights from complete curves (maximum a
    posteriori), and for a beginning they are drawn and weighted by its likelihood, which takes milliseconds. The
    uncertainty of the weights is that of several networks from different starts. Takes scores of any range; extreme
    ones, as of trainings that diverge, are cut off.

    Attributes:
        least: complete curves that it wants.
        latent: variables.
        members: networks.
        steps: of Adam, each with all curves.
    """

    least: int = 30
    latent: int = 3
    members: int = 4
    steps: int = 1_000

    def __post_init__(self) -> None:
        if min(self.least - 1, self.latent, self.members, self.steps) < 1:
            raise ArchwrightError("LatentCurves needs at least 2 curves, and 1 latent variable, member and step")

    def learn(self, known: Sequence[Known], horizon: int, seed: int) -> Decoders:
        """The networks, trained together on the CPU."""
        curves = np.array([one.curve[:horizon] for one in known], dtype=float)
        numbers = np.array([one.numbers for one in known], dtype=float).reshape(len(known), -1)
        units = Units(Range.of(curves), *_moments(numbers))
        generator = torch.Generator().manual_seed(seed)
        decoders = Decoders(units, basis(horizon), self.latent, self.members, generator)
        with torch.enable_grad():
            decoders.train(units.scores(curves), units.numbers(numbers), self.steps, generator)
        return decoders


@dataclass(frozen=True)
class Units:
    """How scores and numbers are standardised."""

    within: Range
    means: Array
    spreads: Array

    def scores(self, curves: Array) -> Tensor:
        """Standardised, and cut off."""
        given = self.within
        return torch.as_tensor((given.cut(curves, REACH) - given.middle) / given.spread, dtype=torch.float32)

    def numbers(self, numbers: Array) -> Tensor:
        """Standardised."""
        return torch.as_tensor((numbers - self.means) / self.spreads, dtype=torch.float32)


class Decoders:
    """Networks (latent variables, numbers) -> a curve's mean and the logarithm of its noise, after each epoch.

    mean(t) = end - fall * sum of w_k basis_k(t), the weights w by softmax; log noise(t) = a parabola of t.
    """

    def __init__(self, units: Units, functions: Array, latent: int, members: int, generator: torch.Generator) -> None:
        self.units, self.latent, self.members = units, latent, members
        self.basis = torch.as_tensor(functions, dtype=torch.float32)  # (T, k)
        share = torch.arange(1, len(functions) + 1) / len(functions)
        self.powers = torch.stack([torch.ones_like(share), share, share**2], dim=1)  # (T, 3)
        sizes = [latent + len(units.means), HIDDEN, HIDDEN, 2 + functions.shape[1] + 3]
        scales = [size**-0.5 for size in sizes[:2]] + [0.3 * HIDDEN**-0.5]
        self.weights = [
            scale * torch.randn(members, enter, leave, generator=generator)
            for enter, leave, scale in zip(sizes[:-1], sizes[1:], scales, strict=True)
        ]
        self.biases = [torch.zeros(members, 1, leave) for leave in sizes[1:]]

    def __call__(self, curve: Sequence[float], numbers: Sequence[float], seed: int) -> Prediction:
        """Samples of the last score, given the first ones: draws of the latent variables, weighted by likelihood."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(self.members, DRAWS, self.latent, generator=generator)
        scores = self.units.scores(np.asarray(curve, dtype=float))
        places = torch.tensor([*range(len(scores)), len(self.basis) - 1])
        with torch.no_grad():
            means, noise = self.decoded(drawn, self.units.numbers(np.asarray(numbers, dtype=float)), places)
            logs = -log_loss(scores, means[..., :-1], noise[..., :-1]).sum(dim=2).flatten().double()
            picked = torch.multinomial(flattened(logs), DRAWS, replacement=True, generator=generator)
            ends, spread = means[..., -1].flatten()[picked], noise[..., -1].flatten()[picked].exp()
            ends = ends + spread * torch.randn(DRAWS, generator=generator)
        samples = self.units.within.middle + self.units.within.spread * ends.double().numpy()
        return Prediction(float(samples.mean()), float(samples.std()), samples)

    def train(self, scores: Tensor, numbers: Tensor, steps: int, generator: torch.Generator) -> None:
        """Weights, and latent variables of each curve, of least negative log-posterior (both are normal beforehand)."""
        latent = torch.randn(self.members, len(scores), self.latent, generator=generator)
        learnt = [*self.weights, *self.biases]
        for tensor in (latent, *learnt):
            tensor.requires_grad_()
        groups = [{"params": learnt, "lr": RATES[0]}, {"params": [latent], "lr": RATES[1]}]
        adam = torch.optim.Adam(groups)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        places = learnt_from(len(self.basis))
        for _ in range(steps):
            fit = log_loss(scores[:, places], *self.decoded(latent, numbers, places)).sum()
            prior = sum((tensor**2).sum() / 2 for tensor in (latent, *self.weights))
            adam.zero_grad()
            ((fit + prior) / len(scores)).backward()
            adam.step()
            schedule.step()
        for tensor in learnt:
            tensor.requires_grad_(False)

    def decoded(self, latent: Tensor, numbers: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log noise at the epochs `places`, each (members, n, len(places)), of (members, n, latent)."""
        hidden = torch.cat([latent, numbers.expand(*latent.shape[:2], -1)], dim=2)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.tanh(torch.baddbmm(bias, hidden, weight))
        made = torch.baddbmm(self.biases[-1], hidden, self.weights[-1])
        end, fall, mixture, noise = torch.split(made, [1, 1, self.basis.shape[1], 3], dim=2)
        means = end - fall * (mixture.softmax(dim=2) @ self.basis[places].T)
        return means, (noise @ self.powers[places].T).clamp(-6.0, 1.5) - 1.5


def basis(horizon: int) -> Array:
    """Functions that fall from 1 after the first epoch to 0 at the horizon: (horizon, k).

    1/t and log t (vapour pressure, logarithm), Hill's curves, a line and a parabola.
    """
    t = np.arange(1.0, horizon + 1)
    share = t / horizon
    falling = [1 / t, -np.log(share), 1 - share, (1 - share) ** 2, *(half / (half + share) for half in HILL)]
    columns = [column - column[-1] for column in falling]
    return np.column_stack([column / (column[0] or 1.0) for column in columns])


def log_loss(scores: Tensor, means: Tensor, noise: Tensor) -> Tensor:
    """The negative logarithm of the normal density, but for a constant; `noise` is the log of the deviation."""
    return 0.5 * ((scores - means) / noise.exp()) ** 2 + noise


def flattened(logs: Tensor) -> Tensor:
    """Weights proportional to exp(logs), to a power of at most 1 for which enough draws have weight (`EFFECTIVE`)."""
    power = 1.0
    weights = torch.softmax(logs, dim=0)
    while 1.0 / float((weights**2).sum()) < min(EFFECTIVE, len(logs)) and power > 1e-6:
        power *= 0.8
        weights = torch.softmax(power * logs, dim=0)
    return weights


def learnt_from(horizon: int) -> Tensor:
    """The epochs (from 0) that the networks learn from: all of a short curve."""
    if horizon <= PLACES:
        return torch.arange(horizon)
    early, even = np.geomspace(1, horizon, PLACES), np.linspace(1, horizon, PLACES)
    return torch.as_tensor(np.unique(np.round([*early, *even]).astype(int)) - 1)


def _moments(numbers: Array) -> tuple[Array, Array]:
    spreads = numbers.std(axis=0)
    return numbers.mean(axis=0), np.where(spreads > 0, spreads, 1.0)
