"""A task: data in three fixed splits, loss, metrics, hyper-parameters, and the Signature to build for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from archwright.core.errors import ArchwrightError
from archwright.core.signature import Signature

Precision = Literal["auto", "float32", "bfloat16"]


class BadData(ArchwrightError):
    """Data that can't be learnt from, with the file's name and the cure."""


@dataclass(frozen=True)
class Split:
    """Examples in memory.

    Attributes:
        inputs: (n, *input_shape); uint8 images in 0..255, floating numbers, or int64 tokens.
        targets: (n,) int64 class numbers, or (n, *positions) where each position of an example has one; or
            (n, outputs) float32 for regression.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __add__(self, other: Split) -> Split:
        return Split(torch.cat([self.inputs, other.inputs]), torch.cat([self.targets, other.targets]))

    def to(self, device: torch.device) -> Split:
        """The split on a device."""
        return Split(self.inputs.to(device), self.targets.to(device))


@dataclass(frozen=True)
class Splits:
    """What a task's loader returns. `classes` is empty for regression."""

    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hyperparameters:
    """How a network is trained: one loop reads them all.

    The defaults are the common recipe for small residual networks on small images (He et al., 2016, section 4.2:
    SGD with momentum 0.9, batch 128, learning rate 0.1) with a cosine schedule to zero and label smoothing 0.1.

    Attributes:
        nesterov: whether momentum looks ahead (Nesterov's).
        warmup: share of the steps over which the learning rate rises linearly from zero.
        gradient_clip: largest allowed norm of the gradient; 0 switches it off.
        flip: mirror images left-right at random.
        crop: shift images by up to this many pixels, zeros moving in.
        cutout: side in pixels of the square set to zero (DeVries and Taylor, 2017); 0 switches it off.
        precision: of the arithmetic; auto is bfloat16 where the device has it in hardware, else float32.
    """

    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    batch_size: int = 128
    label_smoothing: float = 0.1
    warmup: float = 0.05
    gradient_clip: float = 5.0
    flip: bool = False
    crop: int = 0
    cutout: int = 0
    precision: Precision = "auto"


class Task:
    """Data splits, loss, metrics, hyper-parameters and a Signature.

    The test split is for scoring a finished run's winner, once; no estimator reads it.

    Args:
        name: for manifests and messages.
        load: returns the splits, the same ones each time; picklable, so that worker processes load for themselves.
        hyperparameters: the training recipe that suits the data.
        epochs: what full training of a winner takes, by default.
    """

    made_by: dict[str, Any]
    described: dict[str, Any]  # see core.parts.part

    def __init__(
        self,
        name: str,
        load: Callable[[], Splits],
        hyperparameters: Hyperparameters = Hyperparameters(),
        epochs: int = 30,
    ) -> None:
        self.name = name
        self.hyperparameters = hyperparameters
        self.epochs = epochs
        self._load = load

    @cached_property
    def splits(self) -> Splits:
        """The data, loaded on first use and kept in memory."""
        return self._load()

    def __getstate__(self) -> dict[str, Any]:  # workers load for themselves
        loaded = ("splits", "statistics", "_statistics_on", "_splits_on")
        return {name: value for name, value in self.__dict__.items() if name not in loaded}

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    @property
    def train(self) -> Split:
        """What weights learn from."""
        return self.splits.train

    @property
    def valid(self) -> Split:
        """What a search is steered by."""
        return self.splits.valid

    @property
    def test(self) -> Split:
        """What a finished run's winner is scored on, once."""
        return self.splits.test

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by number; empty for regression."""
        return self.splits.classes

    @property
    def is_classification(self) -> bool:
        """Whether targets are classes, not numbers."""
        return bool(self.splits.classes)

    @property
    def signature(self) -> Signature:
        """What a space builds networks for."""
        shape, answers = tuple(self.train.inputs.shape[1:]), tuple(self.train.targets.shape[1:])
        if self.is_classification:
            return Signature(shape, len(self.classes), positions=answers)
        return Signature(shape, outputs=answers[0])

    @cached_property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the training inputs along the first axis of an example (channels), float32,
        shaped to broadcast over a batch: (1, channels, 1, 1) for images, (1, features) for vectors."""
        inputs = self.train.inputs
        axes = [axis for axis in range(inputs.dim()) if axis != 1]
        step = max(1, len(inputs) // 10_000)  # ten thousand examples tell the statistics
        sample = inputs[::step].float()
        deviation, mean = torch.std_mean(sample, dim=axes, keepdim=True)
        return mean, deviation.clamp_min(1e-6)

    def prepare(self, inputs: Tensor) -> Tensor:
        """A batch as networks see it: float32, standardised with the training split's statistics."""
        device = inputs.device
        if device not in self._statistics_on:
            mean, deviation = self.statistics
            self._statistics_on[device] = (mean.to(device), deviation.to(device))
        mean, deviation = self._statistics_on[device]
        return (inputs.float() - mean) / deviation

    def on(self, device: torch.device) -> tuple[Split, Split]:
        """The training and the validation split, moved once to each device: there they stay from trial to trial."""
        if device not in self._splits_on:
            self._splits_on[device] = (self.train.to(device), self.valid.to(device))
        return self._splits_on[device]

    @cached_property
    def _splits_on(self) -> dict[torch.device, tuple[Split, Split]]:
        return {}

    @cached_property
    def _statistics_on(self) -> dict[torch.device, tuple[Tensor, Tensor]]:
        """The statistics, moved once to each device: a copy with each batch would make a GPU wait."""
        return {}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy for classes, mean squared error for numbers."""
        if self.is_classification:
            return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        return functional.mse_loss(outputs, targets)

    def metrics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Metrics over a split: accuracy (0..1) and loss, or rmse, r2 and loss for regression.

        Args:
            batches: outputs and targets, such that nobody need keep the outputs of a whole split.
        """
        if self.is_classification:
            loss, right, examples, positions = 0.0, 0, 0, 0
            for outputs, targets in batches:
                loss += float(self.loss(outputs, targets)) * len(targets)
                right += int((outputs.argmax(dim=1) == targets).sum())
                examples, positions = examples + len(targets), positions + targets.numel()
            return {"accuracy": right / positions, "loss": loss / examples}
        outputs, targets = map(torch.cat, zip(*batches, strict=True))
        loss = float(self.loss(outputs, targets))
        spread = float(((targets - targets.mean(dim=0)) ** 2).mean()) or 1.0
        return {"rmse": loss**0.5, "r2": 1.0 - loss / spread, "loss": loss}

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What `metrics` gives."""
        return ("accuracy", "loss") if self.is_classification else ("rmse", "r2", "loss")

    @property
    def score(self) -> str:
        """The metric that a learning curve shows."""
        return "accuracy" if self.is_classification else "r2"
