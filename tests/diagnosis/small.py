"""A space of 100 architectures, and estimators whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import archwright as aw

SIZE = 10


class Net:
    def __init__(self, a, b):
        raise AssertionError("these estimators build no network")


def space(size=SIZE):
    return aw.Space(Net, a=aw.Choice(*range(size)), b=aw.Choice(*range(size)))


def place(architecture):
    return int(architecture["a"]) * SIZE + int(architecture["b"])


def truth(architecture, seed=0):
    """Between .5 and .9, all different."""
    return 0.5 + 0.4 * float(np.random.default_rng(5 + seed).permutation(SIZE * SIZE)[place(architecture)]) / 100


def noise(architecture, seed=9):
    return float(np.random.default_rng(seed).permutation(SIZE * SIZE)[place(architecture)]) / 100


@dataclass
class Fake:
    """Answers by functions of the architecture, and writes down in a file whom it was asked about.

    Attributes:
        of: metrics; each function is given the trial.
        log: the file.
    """

    of: Mapping[str, Callable[[aw.Trial], float]]
    log: Path | None = None
    cost: float = 8.0
    fails: Callable[[aw.Trial], bool] = field(default=lambda trial: False)

    @property
    def metrics(self):
        return frozenset(self.of)

    def estimate(self, space, trial):
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{place(trial.architecture)} {trial.fidelity}\n")
        if self.fails(trial):
            raise aw.ArchwrightError("it does not fit")
        metrics = {name: value for name, of in self.of.items() if (value := of(trial)) is not None}
        return aw.Evaluation(trial, metrics, cost=self.cost * trial.fidelity)


def reference(**given):
    """The truth, noisier the lower the fidelity; parameters say half of it."""
    return Fake(
        {
            "valid_accuracy": lambda trial: (
                trial.fidelity * truth(trial.architecture) + (1 - trial.fidelity) * 0.4 * noise(trial.architecture)
            ),
            "parameters": lambda trial: 1000 * (truth(trial.architecture) + 0.4 * noise(trial.architecture, 3)),
        },
        **given,
    )


def scores(architectures, of):
    return np.array([of(architecture) for architecture in architectures])
