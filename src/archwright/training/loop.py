"""The one training loop."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.tasks.task import Hyperparameters, Precision, Split, Task
from archwright.training.augment import cutout, random_crop, random_flip
from archwright.training.layout import images_laid_out, laid_out
from archwright.training.seeding import seeded

EVALUATION_BATCH = 1000
EVALUATION_NUMBERS = 4_000_000
EVALUATION_OUTPUTS = 16_000_000
"""Where no gradient is needed: the most examples a batch, and the most numbers in its inputs and in its outputs."""


class DivergedError(ArchwrightError):
    """A loss that is no longer a number."""


@dataclass
class Progress:
    """How far a training got: what a checkpoint holds beside the weights.

    Attributes:
        epoch: epochs completed.
        train_losses: mean training loss of each.
        curve: the task's score on the validation split after each; empty without such a split.
    """

    epoch: int = 0
    train_losses: list[float] = field(default_factory=list)
    curve: list[float] = field(default_factory=list)


def pick_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first GPU, else the CPU.

    Where there are several GPUs, "auto" spreads the workers of `Processes` over them: each has its number in the
    environment variable ARCHWRIGHT_WORKER, and takes the GPU of that number, counted round.

    Raises:
        ArchwrightError: the name is no device of this machine.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        worker = os.environ.get("ARCHWRIGHT_WORKER")
        if worker is not None and gpus > 1:
            return torch.device(f"cuda:{int(worker) % gpus}")
        return torch.device("cuda" if gpus else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ArchwrightError(f"there is no device {name!r}; use auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and not gpus:
        raise ArchwrightError(f"device {name} asked for, but this machine has no usable GPU; use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= gpus:
        there = ", ".join(f"cuda:{index}" for index in range(gpus))
        raise ArchwrightError(f"device {name} asked for, but the GPUs of this machine are: {there}")
    return device


class Fit:
    """Training of one network on one task, an epoch at a time.

    Everything random is seeded by (seed, epoch), so a training that continues from `state()` ends with the same
    weights as one that never stopped (bit for bit on the CPU).

    Args:
        network: trained in place; lies on `device`.
        train: the examples, on `device`.
        epochs: the horizon of the learning-rate schedule. Stopping earlier is a lower fidelity of the same training.
    """

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        train: Split,
        hyperparameters: Hyperparameters,
        epochs: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.network = laid_out(network, device)
        self.task, self.train, self.given = task, train, hyperparameters
        self.epochs, self.seed, self.device = epochs, seed, device
        self.progress = Progress()
        self.optimizer = _optimizer(network, hyperparameters)
        self.batch_size = min(hyperparameters.batch_size, len(train))
        self.steps = max(1, len(train) // self.batch_size)  # an epoch; what is left over waits for the next shuffle

    def run_epoch(self) -> float:
        """Trains one epoch and returns its mean training loss.

        Raises:
            DivergedError: the loss is no number any more.
        """
        epoch = self.progress.epoch
        generator = torch.Generator().manual_seed(seed_for(self.seed, epoch))
        total = torch.zeros((), device=self.device)
        self.network.train()
        with seeded(self.seed, "epoch", epoch, device=self.device):
            for step, (inputs, targets) in enumerate(self._batches(generator)):
                self._set_learning_rate(epoch * self.steps + step)
                loss = self.learn(inputs, targets)
                total += loss
                if step % 100 == 99 or step == self.steps - 1:  # asking more often would make a GPU wait
                    self._check(float(total), epoch)
        self.progress.epoch += 1
        self.progress.train_losses.append(float(total) / self.steps)
        return self.progress.train_losses[-1]

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step on one batch; returns its loss, detached."""
        with mixed_precision(self.device, self.given.precision):
            loss = self.loss(inputs, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.descend()
        return loss.detach()

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss on one batch, a scalar with its gradient."""
        return self.task.loss(self.network(inputs), targets, self.given.label_smoothing)

    def descend(self) -> None:
        """A step down the gradients that the parameters hold, clipped."""
        if self.given.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.given.gradient_clip)
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """All that continuing needs, as tensors, numbers and lists (it loads with `weights_only=True`)."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": vars(self.progress).copy(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])

    def _batches(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        return islice(self.batches_of(self.train, generator), self.steps)

    def batches_of(self, split: Split, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented batches of a split without end, shuffled anew at each pass; what is left over is skipped."""
        size = min(self.batch_size, len(split))
        while True:
            order = torch.randperm(len(split), generator=generator).to(self.device)
            for start in range(0, len(split) - size + 1, size):
                picked = order[start : start + size]
                yield self._augmented(split.inputs[picked], generator), split.targets[picked]

    def _augmented(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        given, is_image = self.given, inputs.dim() == 4
        if given.flip and is_image:
            inputs = random_flip(inputs, generator)
        if given.crop and is_image:
            inputs = random_crop(inputs, given.crop, generator)
        inputs = self.task.prepare(inputs)
        if given.cutout and is_image:
            inputs = cutout(inputs, given.cutout, generator)
        return images_laid_out(inputs)

    def _set_learning_rate(self, step: int) -> None:
        """Linear warm-up, then half a cosine to zero (Loshchilov and Hutter, 2017, without restarts)."""
        total = self.epochs * self.steps
        warmup = self.given.warmup * total
        share = (
            (step + 1) / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.given.learning_rate * min(share, 1.0)

    def _check(self, total: float, epoch: int) -> None:
        if not math.isfinite(total):
            raise DivergedError(
                f"the training loss became {total} in epoch {epoch + 1}; a lower learning rate may help"
            )


@torch.no_grad()
def predict(
    network: nn.Module, task: Task, split: Split, device: torch.device, precision: Precision = "float32"
) -> Tensor:
    """The network's outputs for a whole split, in evaluation mode: (n, *output_shape), float32, on `device`.

    Those of a regression are standardised: `Task.restore` puts them into the targets' units.
    """
    return torch.cat([outputs for outputs, _ in _answers(network, task, split, device, precision)])


@torch.no_grad()
def score(
    network: nn.Module, task: Task, split: Split, device: torch.device, precision: Precision = "float32"
) -> dict[str, float]:
    """The task's metrics on a split."""
    return task.metrics(_answers(network, task, split, device, precision))


def _answers(
    network: nn.Module, task: Task, split: Split, device: torch.device, precision: Precision
) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs and targets, batch by batch."""
    network.eval()
    signature = task.signature
    size = min(
        EVALUATION_BATCH,
        EVALUATION_NUMBERS // max(1, math.prod(split.inputs.shape[1:])),
        EVALUATION_OUTPUTS // max(1, math.prod(signature.output_shape)),
    )
    for start in range(0, len(split), max(1, size)):
        inputs, targets = (part[start : start + max(1, size)].to(device) for part in (split.inputs, split.targets))
        with mixed_precision(device, precision):
            outputs = network(task.prepare(inputs))
        yield outputs.float(), targets


def mixed_precision(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """bfloat16 arithmetic inside, weights and sums in float32; "auto": where the device gains by it."""
    wanted = precision == "bfloat16" or (precision == "auto" and gains_by_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def gains_by_bfloat16(device: torch.device) -> bool:
    """Whether it is a GPU that multiplies bfloat16 in hardware; emulation would be slower than float32.

    No CPU, whatever it has. Depthwise convolutions take twice as long in bfloat16 there, and the gradient of one whose
    stride is larger than its image is wide is wrong (oneDNN reads numbers that nobody wrote, often NaN), as where a
    network has shrunk small images to a pixel.
    """
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):  # the question is about the current one
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _optimizer(network: nn.Module, given: Hyperparameters) -> torch.optim.Optimizer:
    """Weight decay for matrices and kernels only: biases and batch-norm's scales are left alone."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": given.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if not parameters:
        raise ArchwrightError("the network has no parameters to train")
    if given.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=given.learning_rate, foreach=True)
    nesterov = given.nesterov and given.momentum > 0
    return torch.optim.SGD(groups, lr=given.learning_rate, momentum=given.momentum, nesterov=nesterov, foreach=True)
