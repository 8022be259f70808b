"""What an estimator round `Training` may do to a training: before its first epoch, after each, and at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from archwright.core.protocols import Estimator
from archwright.core.signature import Signature
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.tasks.task import Hyperparameters, Split, Task

Network = Callable[[nn.Module], None]
Watch = Callable[[Sequence[float], int], bool]


@dataclass(frozen=True)
class Setting:
    """What a trial trains on: the full setting, or one that a lower fidelity made smaller."""

    train: Split
    valid: Split
    signature: Signature
    epochs: int  # to train now
    horizon: int  # of the learning-rate schedule
    scale: float = 1.0  # the images' sides, as a share of those of the task's images

    def scaled(self, given: Hyperparameters) -> Hyperparameters:
        """Hyper-parameters for the task's images, with crop and cutout, in pixels, for images of this size."""
        return replace(given, crop=round(given.crop * self.scale), cutout=round(given.cutout * self.scale))


@dataclass(frozen=True)
class Course:
    """The course of one training. Wrappers add to it, and hand it on to what they wrap.

    Attributes:
        begin: called with the fresh network before its first epoch; not where a training continues from a checkpoint.
        watch: called after each epoch with the learning curve so far and with how many epochs this trial is to reach
            (where a training continues from a checkpoint, first for each epoch that it has behind it); True ends the
            training there.
        finish: called with the trained network, before its checkpoint is written.
    """

    begin: tuple[Network, ...] = ()
    watch: tuple[Watch, ...] = ()
    finish: tuple[Network, ...] = ()

    def and_begin(self, act: Network) -> Course:
        """This course, and `act` at the beginning, before what is there already."""
        return replace(self, begin=(act, *self.begin))

    def and_watch(self, act: Watch) -> Course:
        """This course, and `act` after each epoch."""
        return replace(self, watch=(*self.watch, act))

    def and_finish(self, act: Network) -> Course:
        """This course, and `act` at the end."""
        return replace(self, finish=(*self.finish, act))


@runtime_checkable
class Trains(Estimator, Protocol):
    """An estimator that trains the network of a trial, so that others can take part in the training."""

    @property
    def task(self) -> Task:
        """What it trains on."""
        ...

    def setting(self, fidelity: float, device: torch.device) -> Setting:
        """What a trial of that fidelity trains on."""
        ...

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """As `estimate`, with others taking part."""
        ...
