"""The training of weights for all architectures of a space, an epoch at a time, and what is kept of it."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, label
from archwright.core.rng import seed_for
from archwright.runtime.files import whole
from archwright.supernets.calibration import calibrated
from archwright.supernets.open_network import OpenNetwork
from archwright.supernets.relaxation import Batch, Judge, Relaxation, Sampler, Step
from archwright.tasks.task import Hyperparameters, Task
from archwright.training.keeping import keep_state, read_state
from archwright.training.loop import Fit, mixed_precision, score
from archwright.training.seeding import seeded


class ArchitecturesFit(Fit):
    """Training of what every architecture of a space can be scored with.

    Args:
        calibration: batches of training inputs that batch-norm is calibrated with before a score.
    """

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        hyperparameters: Hyperparameters,
        epochs: int,
        seed: int,
        device: torch.device,
        calibration: int,
    ) -> None:
        train, self.valid = task.on(device)
        super().__init__(network, task, train, hyperparameters, epochs, seed, device)
        self.calibration = calibration

    def score_of(self, architecture: Architecture) -> dict[str, float]:
        """The task's metrics of an architecture on the validation split."""
        raise NotImplementedError

    def calibrated_score(self, network: nn.Module) -> dict[str, float]:
        """The task's metrics of a network on the validation split, its batch-norms calibrated on training inputs."""
        batches = max(1, min(self.calibration, len(self.train) // self.batch_size))  # whole ones: each counts the same
        inputs = torch.split(self.train.inputs[: batches * self.batch_size], self.batch_size)
        with self._precision(), calibrated(network, map(self.task.prepare, inputs)):
            return score(network, self.task, self.valid, self.device, self.given.precision)

    def _precision(self) -> AbstractContextManager[Any]:
        return mixed_precision(self.device, self.given.precision)


class SharedFit(ArchitecturesFit):
    """Training of an open network: a sampler says what each weight step computes, a relaxation learns beside it.

    Attributes:
        ended: the relaxation has given its last architecture.
        trace: the relaxation's probabilities after each epoch, by choice.
    """

    def __init__(
        self,
        network: OpenNetwork,
        sampler: Sampler,
        task: Task,
        hyperparameters: Hyperparameters,
        epochs: int,
        seed: int,
        device: torch.device,
        calibration: int,
    ) -> None:
        super().__init__(network, task, hyperparameters, epochs, seed, device, calibration)
        self.open, self.sampler = network, sampler
        self.ended = False
        self.trace: list[dict[str, list[float]]] = []

    def run_epoch(self) -> float:
        """Trains weights, and what the sampler learns, for one epoch."""
        self.sampler.begin(self.progress.epoch, self.epochs)
        # By a proxy, since a generator that held this object, which holds it, would outlive the search with it.
        self._valid_batches = type(self).batches_of(weakref.proxy(self), self.valid, self._generator("valid"))
        loss = super().run_epoch()
        if isinstance(self.sampler, Relaxation):
            with seeded(self.seed, "finish", self.progress.epoch, device=self.device):
                self.sampler.finish_epoch(self.judge())
            with torch.no_grad():
                self.trace.append({name: row.tolist() for name, row in self.sampler.probabilities().items()})
        return loss

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step of the relaxation on a validation batch, then one of the weights on the training batch."""
        if isinstance(self.sampler, Relaxation):
            self.sampler.learn(self._step((inputs, targets)))
        self.optimizer.zero_grad(set_to_none=True)
        total, draws = torch.zeros((), device=self.device), 0
        for _ in self.sampler.draws():
            total, draws = total + self._backward(inputs, targets), draws + 1
        self.descend()
        return total / draws

    def score(self) -> dict[str, float]:
        """The task's metrics on the validation split, with the network as it is set, batch-norm calibrated."""
        return self.calibrated_score(self.open)

    def score_of(self, architecture: Architecture) -> dict[str, float]:
        """The metrics of an architecture with its part of the weights."""
        self.open.decide(architecture)
        return self.score()

    def judge(self) -> Judge:
        """What who stops or selects may ask, after an epoch."""
        train, tunings = self.batches_of(self.train, self._generator("judge")), count()
        return Judge(
            lambda: self.score()[self.task.score],
            lambda learning_rate: self._tune(learning_rate, next(tunings)),
            lambda: self._step(next(train)),
        )

    def state(self) -> dict[str, Any]:
        """All that continuing needs."""
        return super().state() | {"sampler": self.sampler.state(), "ended": self.ended, "trace": self.trace}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        super().load_state(state)
        self.sampler.load_state(state["sampler"])
        self.ended, self.trace = state["ended"], state["trace"]

    def _step(self, train: Batch) -> Step:
        return Step(self.open, self._loss, train, next(self._valid_batches), self.optimizer, self._precision)

    def _loss(self, batch: Batch) -> Tensor:
        return self.task.loss(self.open(batch[0]), batch[1], self.given.label_smoothing)

    def _backward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Adds the gradients of one draw; returns the task's own loss, detached."""
        with self._precision():
            outputs = self.open(inputs)
            plain = self.task.loss(outputs, targets, self.given.label_smoothing)
            loss = self.sampler.loss(outputs, targets, plain)
        loss.backward()  # type: ignore[no-untyped-call]
        return plain.detach()

    def _tune(self, learning_rate: float, number: int) -> None:
        """One more epoch of the weights at a constant rate, with the network as it is set now."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.open.train()
        generator = self._generator("tune", number)
        with seeded(self.seed, "tune", self.progress.epoch, number, device=self.device):
            for inputs, targets in self._batches(generator):
                self.optimizer.zero_grad(set_to_none=True)
                self._backward(inputs, targets)
                self.descend()

    def _generator(self, *purpose: object) -> torch.Generator:
        return torch.Generator().manual_seed(seed_for(self.seed, self.progress.epoch, *purpose))


class Keeper:
    """Keeps the state after each epoch under a folder: the last two, since a kill may come before the newer one's
    evaluation is stored.

    Args:
        name: tells this training apart from others in the folder.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def keep(self, fit: ArchitecturesFit) -> bool:
        """Writes the state; what it replaces is valid until it is whole. False where it can't be written."""
        if not keep_state(fit, self._path(fit.progress.epoch)):
            return False
        for epoch in self._epochs():
            if epoch < fit.progress.epoch - 1:
                self._path(epoch).unlink(missing_ok=True)
        if isinstance(fit, SharedFit) and fit.trace:
            with whole(self.folder / "relaxation.json") as part:
                part.write_text(json.dumps({"choices": labels_of(fit.open), "epochs": fit.trace}))
        return True

    def restore(self, fit: ArchitecturesFit, epoch: int | None = None) -> bool:
        """Loads the state after `epoch`, or after the last one; False if there is none."""
        wanted = [kept for kept in self._epochs() if epoch is None or kept == epoch]
        if not wanted:
            return False
        fit.load_state(read_state(self._path(max(wanted))))
        return True

    def _path(self, epoch: int) -> Path:
        return self.folder / f"{self.name}-{epoch}.pt"

    def _epochs(self) -> list[int]:
        return [int(path.stem.rpartition("-")[2]) for path in self.folder.glob(f"{self.name}-*.pt")]


def labels_of(network: OpenNetwork) -> dict[str, list[str]]:
    """The labels of each open choice's candidates; "none" for taking no part."""
    return {
        name: [*_labels(choice), *(["none"] if choice.optional else [])]
        for name, choice in network.choices.items()
        if choice.is_weighed
    }


def _labels(choice: Any) -> Iterable[str]:
    if choice.is_subset or not isinstance(choice.choice, Choice):
        return map(label, choice.options)
    labels: Iterable[str] = choice.choice.labels
    return labels
