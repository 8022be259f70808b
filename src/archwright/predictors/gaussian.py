"""A Gaussian process over architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.rng import seed_for
from archwright.predictors.arc import Arc
from archwright.predictors.gaussian_process import GaussianProcess, Kernel
from archwright.predictors.weisfeiler_lehman import WeisfeilerLehman
from archwright.spaces.encodings import own_graph
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Gaussian:
    """Of several kernels, the one of the largest marginal likelihood (Ru, Wan, Dong and Osborne, 2021, section 3.1).

    They are the arc kernel on the decisions (Swersky et al., 2013), which any space has, and where a space says what
    its architectures compute, the Weisfeiler-Lehman kernel of 1 to `rounds` rounds. The deviation is that of a
    measurement, noise included.

    Attributes:
        rounds: the most rounds of the graph kernel; 0 leaves it out.
        most: evaluations it learns from, drawn by the seed where there are more: the time grows with their cube.
    """

    rounds: int = 2
    most: int = 500

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Process:
        """Conditions a process for each kernel and keeps the likeliest."""
        if len(targets) > self.most:
            drawn = np.sort(np.random.default_rng(seed_for("most", seed)).permutation(len(targets))[: self.most])
            architectures, targets = [architectures[place] for place in drawn], np.asarray(targets)[drawn]
        kernels: list[Kernel] = [Arc(space)]
        if own_graph(space, architectures[0]) is not None:
            kernels += [WeisfeilerLehman(space, rounds) for rounds in range(1, self.rounds + 1)]
        processes = [GaussianProcess(kernel).fit(architectures, targets) for kernel in kernels]
        best = max(processes, key=lambda process: process.likelihood)
        return Process(best, float(np.sqrt(best.parameters[-1]) * (np.std(targets) or 1.0)))


@dataclass(frozen=True)
class Process:
    """A process conditioned on evaluations.

    Attributes:
        noise: standard deviation of a measurement around the function, in the targets' units.
    """

    of: GaussianProcess
    noise: float

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation of a measurement: (m,), (m,)."""
        if not architectures:
            return np.zeros(0), np.zeros(0)
        mean, std = self.of.predict(architectures)
        return mean, np.hypot(std, self.noise)
