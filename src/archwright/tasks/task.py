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
from archwright.core.parts import describe
from archwright.core.signature import Signature

Precision = Literal["auto", "float32", "bfloat16"]

_PIECE = 4_000_000  # numbers that are turned into float64 at once


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
    """What a task's loader returns.

    Attributes:
        classes: names of the classes by number; empty for regression.
        features: names of the inputs of a table's rows, in their order; empty where there are none.
    """

    train: Split
    valid: Split
    test: Split
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


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
        crop: shift images by up to this many pixels, zeros moving in. Where a fidelity shrinks the images, it shrinks
            crop and cutout too.
        cutout: side in pixels of the square set to zero (DeVries and Taylor, 2017); 0 switches it off.
        precision: of the arithmetic; auto is bfloat16 on GPUs that have it in hardware, else float32.
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

    A network's inputs are standardised, see `prepare`, and so are a regression's outputs: whatever units the targets
    have, it learns numbers of about unit size, and `restore` puts its outputs into the targets' units.

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
        loaded = ("splits", "statistics", "target_statistics", "_statistics_on", "_splits_on")
        return {name: value for name, value in self.__dict__.items() if name not in loaded}

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def declaration(self) -> dict[str, Any]:
        """What a manifest says of a task of the user's own, as JSON; the library's say how they were made."""
        return {
            "class": f"{type(self).__module__}.{type(self).__qualname__}",
            "name": self.name,
            "hyperparameters": describe(self.hyperparameters),
            "epochs": self.epochs,
        }

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
    def features(self) -> tuple[str, ...]:
        """Names of the inputs of a table's rows, in their order; empty for other data."""
        return self.splits.features

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
        shaped to broadcast over a batch: (1, channels, 1, 1) for images, (1, features) for vectors. The deviation of
        what is constant, as far as float32 can tell, is given as 1."""
        inputs = self.train.inputs
        # Ten thousand images of bytes tell; elsewhere the few rows where a column isn't 0 may hold all that varies.
        step = max(1, len(inputs) // 10_000) if inputs.dtype == torch.uint8 and inputs.dim() > 2 else 1
        return _mean_and_deviation(inputs[::step])

    @cached_property
    def target_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of a regression's training targets, (1, outputs) float32 each, in the targets'
        units. The deviation of what is constant, as far as float32 can tell, is given as 1.

        Raises:
            ArchwrightError: the targets are classes.
        """
        if self.is_classification:
            raise ArchwrightError(f"the targets of {self.name} are classes, which have no mean; ask for `classes`")
        return _mean_and_deviation(self.train.targets)

    def prepare(self, inputs: Tensor) -> Tensor:
        """A batch as networks see it: float32, standardised with the training split's statistics."""
        mean, deviation = self._known_on("statistics", inputs.device)
        return (inputs.float() - mean) / deviation

    def restore(self, outputs: Tensor) -> Tensor:
        """A network's outputs in the targets' units.

        Args:
            outputs: as a network gives them: (batch, outputs) of a regression, in standard deviations from the
                mean of the training targets; those of a classification, of any shape, return as they are.
        """
        if self.is_classification:
            return outputs
        mean, deviation = self._known_on("target_statistics", outputs.device)
        return outputs * deviation + mean

    def on(self, device: torch.device) -> tuple[Split, Split]:
        """The training and the validation split, moved once to each device: there they stay from trial to trial."""
        if device not in self._splits_on:
            self._splits_on[device] = (self.train.to(device), self.valid.to(device))
        return self._splits_on[device]

    @cached_property
    def _splits_on(self) -> dict[torch.device, tuple[Split, Split]]:
        return {}

    def _known_on(
        self, name: Literal["statistics", "target_statistics"], device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Statistics, moved once to each device: a copy with each batch would make a GPU wait."""
        if (name, device) not in self._statistics_on:
            mean, deviation = getattr(self, name)
            self._statistics_on[name, device] = (mean.to(device), deviation.to(device))
        return self._statistics_on[name, device]

    @cached_property
    def _statistics_on(self) -> dict[tuple[str, torch.device], tuple[Tensor, Tensor]]:
        return {}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Cross-entropy for classes, mean squared error for numbers.

        Args:
            outputs: as a network gives them; of a regression, in standard deviations from the mean, see `restore`.
            targets: as a split has them; of a regression, in their own units. Divided by its deviation, each of
                several outputs counts alike.
        """
        if self.is_classification:
            return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        mean, deviation = self._known_on("target_statistics", targets.device)
        return functional.mse_loss(outputs, (targets - mean) / deviation)

    def metrics(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Metrics over a split: accuracy (0..1) and loss; for regression rmse, r2 and loss.

        rmse is in the targets' units, over all outputs together; r2 is the mean of those of the outputs.

        Args:
            batches: a network's outputs and a split's targets, as `loss` takes them, such that nobody need keep the
                outputs of a whole split.
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
        answers, truth = self.restore(outputs.cpu().double()), targets.cpu().double()
        errors = (answers - truth).square().mean(dim=0)
        return {"rmse": float(errors.mean().sqrt()), "r2": _r2(errors, truth), "loss": loss}

    @property
    def metric_names(self) -> tuple[str, ...]:
        """What `metrics` gives."""
        return ("accuracy", "loss") if self.is_classification else ("rmse", "r2", "loss")

    @property
    def score(self) -> str:
        """The metric that a learning curve shows."""
        return "accuracy" if self.is_classification else "r2"


def _mean_and_deviation(examples: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation along axis 1, float32, shaped to broadcast over a batch.

    What varies no more than float32 can tell at that size is constant, and its deviation 1: rounding, and a value that
    is new after training, would otherwise be blown up.
    """
    axes = [axis for axis in range(examples.dim()) if axis != 1]
    count = examples.numel() // examples.shape[1]
    # In float64, or squares lose what small numbers differ by; in pieces, since that is eight times what a byte takes.
    pieces = torch.split(examples, max(1, _PIECE // examples[0].numel()))
    mean = torch.stack([piece.double().sum(axes, keepdim=True) for piece in pieces]).sum(dim=0) / count
    squares = torch.stack([(piece.double() - mean).square().sum(axes, keepdim=True) for piece in pieces]).sum(dim=0)
    largest = torch.stack([piece.double().abs().amax(axes, keepdim=True) for piece in pieces]).amax(dim=0)
    deviation = (squares / max(1, count - 1)).sqrt()
    resolution = torch.finfo(torch.float32)
    constant = deviation <= (resolution.eps * largest).clamp_min(resolution.tiny)
    return mean.float(), deviation.masked_fill(constant, 1.0).float()


def _r2(errors: Tensor, truth: Tensor) -> float:
    """1 - error / variance, the mean over outputs; of an output whose targets are all equal 1 if exact, else 0.

    Args:
        errors: (outputs,) mean squared errors.
        truth: (n, outputs) targets.
    """
    variances = truth.var(dim=0, correction=0)
    constant = variances == 0  # scikit-learn's convention for these
    shares = torch.where(constant, (errors > 0).double(), errors / variances.masked_fill(constant, 1.0))
    return float((1.0 - shares).mean())
