"""Distillation: a network learns to answer as another one does (Hinton, Vinyals and Dean, 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.training.loop import Fit


class Distilling(Fit):
    """A training towards what a `teacher` answers, in place of the targets.

    The loss is of its own, since a task's reads targets as a split has them: for classes the cross-entropy with the
    teacher's probabilities, at each position of an example; for numbers the mean squared error, both standardised.
    Label smoothing takes no part: the teacher's probabilities are smooth already.

    Args:
        teacher: lies on the same device.
        arguments: those of `Fit`.
    """

    def __init__(self, teacher: nn.Module, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.teacher = teacher.eval()

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """How far the network's answers to one batch are from the teacher's, a scalar with its gradient."""
        with torch.no_grad():
            answers = self.teacher(inputs).float()
        outputs = self.network(inputs)
        if self.task.is_classification:
            return functional.cross_entropy(outputs, answers.softmax(dim=1))
        return functional.mse_loss(outputs, answers)
