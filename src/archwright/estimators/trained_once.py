"""What estimators have in common that train one thing for a whole space, and then judge every architecture by it."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.costing import costs_of
from archwright.estimators.shared_fit import ArchitecturesFit, Keeper
from archwright.objectives.costs import Cost, Flops, Parameters
from archwright.spaces.space import Space
from archwright.tasks.task import Hyperparameters, Task
from archwright.training.loop import DivergedError

SEARCH = Hyperparameters(
    learning_rate=0.025,
    nesterov=False,
    weight_decay=3e-4,
    batch_size=64,
    label_smoothing=0.0,
    warmup=0.0,
    precision="float32",
)
"""How DARTS trains its open network (Liu et al., 2019b, appendix A.1); the cosine ends at 0, there at 0.001."""


@dataclass(frozen=True)
class TrainedOnce(ABC):
    """Trains when the first trial is asked, and then scores each trial with what it has learnt.

    The time of the training is part of the first trial's cost. With a folder for checkpoints the training continues
    after its last whole epoch, and of several worker processes one trains while the others wait, at no cost.

    Attributes:
        task: data, loss, metrics.
        epochs: of the training.
        calibration: batches that batch-norm is calibrated with, for one architecture.
        costs: measured on the standalone network; those that need no device.
        shared: how it is trained; a winner trains by the task's own hyper-parameters. The defaults are DARTS'.
        device: auto, cpu, cuda, ...
        checkpoints: folder for the state after each epoch. `record` sets it.
    """

    task: Task
    epochs: int = 50
    _: KW_ONLY
    calibration: int = 8
    costs: tuple[Cost, ...] = (Parameters(), Flops())
    shared: Hyperparameters = SEARCH
    device: str = "auto"
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__
        if self.epochs < 1:
            raise ArchwrightError(f"{name} needs at least 1 epoch, not {self.epochs}")
        for cost in self.costs:
            if cost.needs_device:
                raise ArchwrightError(f"{cost.metric} can't be measured by {name}; use it with Training")

    @abstractmethod
    def _fit(self, space: Space, seed: int) -> ArchitecturesFit:
        """The training, before its first epoch."""

    @property
    def metrics(self) -> frozenset[str]:
        """The names of all metrics."""
        costs = (cost.metric for cost in self.costs)
        return frozenset({f"valid_{name}" for name in self.task.metric_names} | {"train_loss", "epochs", *costs})

    def stored(self, folder: str) -> Self:
        """The same estimator with its checkpoints under `folder`."""
        return self if self.checkpoints else replace(self, checkpoints=str(Path(folder) / "checkpoints"))

    def preflight(self, space: Space, trial: Trial) -> dict[str, float]:
        """The costs of the standalone network."""
        return costs_of(space, trial.architecture, self.task.signature, self.costs)

    def estimate(self, space: Space, trial: Trial) -> Evaluation:
        """Scores an architecture; the first time trains."""
        started = time.perf_counter()
        costs = self.preflight(space, trial)
        fit, epochs, waited = self._trained(space, trial.seed)
        return self._evaluation(fit, trial, fit.score_of(trial.architecture), epochs, costs, started + waited)

    def _evaluation(
        self,
        fit: ArchitecturesFit,
        trial: Trial,
        scores: dict[str, float],
        epochs: int,
        costs: dict[str, float],
        started: float,
    ) -> Evaluation:
        metrics = {f"valid_{name}": value for name, value in scores.items()}
        metrics |= {"train_loss": fit.progress.train_losses[-1], "epochs": float(epochs)}
        return Evaluation(trial, metrics | costs, tuple(fit.progress.curve), time.perf_counter() - started)

    def _trained(self, space: Space, seed: int) -> tuple[Any, int, float]:
        """The finished training, how many epochs that took now, and how many seconds another worker was waited for."""
        name = self._name(space, seed)
        if name in self._fits:
            return self._fits[name], 0, 0.0
        if name in self._diverged:
            raise DivergedError(self._diverged[name])  # it would diverge again
        keeper = self._keeper(space, seed)
        asked = time.perf_counter()
        with self._alone(name):  # of several workers one trains, the others read what it kept
            waited = time.perf_counter() - asked
            fit = self._fit(space, seed)  # not before: who waits needs no memory
            if keeper is not None:
                keeper.restore(fit)
            before = fit.progress.epoch
            while fit.progress.epoch < self.epochs:
                try:
                    fit.run_epoch()
                except DivergedError as error:
                    self._diverged[name] = str(error)  # the error itself would keep the training, by its traceback
                    raise
                if keeper is not None:
                    keeper.keep(fit)
        fit.optimizer.zero_grad()  # from now on it only scores: gradients and momentum need no memory
        fit.optimizer.state.clear()
        self._fits[name] = fit
        return fit, fit.progress.epoch - before, waited

    def _keeper(self, space: Space, seed: int, *others: Any) -> Keeper | None:
        return None if self.checkpoints is None else Keeper(Path(self.checkpoints), self._name(space, seed, *others))

    def _name(self, space: Space, seed: int, *others: Any) -> str:
        """Of a training: equal for equal settings, space, seed, and other parts that take part in it."""
        parts = [describe(replace(self, checkpoints=None, device="auto")), describe(space), describe(others), seed]
        return "shared-" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def _alone(self, name: str) -> AbstractContextManager[Any]:
        if self.checkpoints is None:
            return nullcontext()
        Path(self.checkpoints).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self.checkpoints) / f"{name}.lock")

    @cached_property
    def _diverged(self) -> dict[str, str]:
        """What the trainings that diverged said, by name."""
        return {}

    @cached_property
    def _fits(self) -> dict[str, ArchitecturesFit]:
        return {}

    def __getstate__(self) -> dict[str, Any]:  # each worker reads or trains for itself
        own = ("_fits", "_diverged")
        return {name: value for name, value in self.__dict__.items() if name not in own}
