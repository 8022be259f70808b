"""Distillation: a network learns to answer as another one does (Hinton, Vinyals and Dean, 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.training.loop import Fit, mixed_precision


class Distilling(Fit):
    """A training towards what a `teacher` answers, in place of the targets: its probabilities, or its numbers.

    Args:
        teacher: lies on the same device.
        arguments: those of `Fit`.
    """

    def __init__(self, teacher: nn.Module, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.teacher = teacher.eval()

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step on one batch; returns its loss, detached."""
        with torch.no_grad(), mixed_precision(self.device, self.given.precision):
            answers = self.teacher(inputs).float()
        return super().learn(
            inputs, answers.softmax(dim=1) if self.task.is_classification else self.task.restore(answers)
        )
