"""What lies between a user's numbers and a network's: how inputs are standardised, and what outputs mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from archwright.tasks.task import Task

EXAMPLES = 8
"""On which a written file is compared with the model: a task's first validation inputs, then training inputs."""

Scale = tuple[Tensor, Tensor]
"""A mean and a standard deviation, to broadcast over a batch."""


@dataclass(frozen=True)
class Between:
    """How a user's numbers become those that a network reads, and its answers the user's.

    Attributes:
        raw: a batch as the user has it: float32, or int64 tokens.
        prepared: the same batch as the network reads it.
        inputs: what raw inputs are standardised with; None if they are read as they are.
        targets: what a regression's answers are scaled back with; None if they are what they say.
        classes: the outputs' names.
        features: the inputs' names, of a table's rows.
        words: what the inputs of the file are.
    """

    raw: Tensor
    prepared: Tensor
    inputs: Scale | None = None
    targets: Scale | None = None
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    words: str = ""

    @classmethod
    def of(cls, given: Tensor | Task) -> Between:
        """Of a task all that it knows; of a batch only that the network reads it.

        A task that prepares its inputs in a way of its own is beyond what a file can do: the file reads prepared ones.
        """
        if isinstance(given, Tensor):
            return cls(given, given)
        # One example would not do, and a validation split may have no more.
        inputs = torch.cat([split.inputs[:EXAMPLES] for split in (given.valid, given.train)])[:EXAMPLES]
        prepared = given.prepare(inputs)
        raw, words, scale = prepared, f"prepared as the task {given.name} does", None
        if inputs.dtype == prepared.dtype and torch.equal(inputs, prepared):
            words = _in_words(inputs)
        elif _close((inputs.float() - given.statistics[0]) / given.statistics[1], prepared):
            raw, words, scale = inputs.float(), _in_words(inputs), given.statistics
        targets = None if given.is_classification else given.target_statistics
        return cls(raw, prepared, scale, targets, given.classes, given.features, words)

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model for raw inputs, answering in the user's units."""
        return model if self.inputs is None and self.targets is None else Whole(model, self.inputs, self.targets)

    def described(self, title: str) -> dict[str, Any]:
        """For formats that keep texts beside the numbers."""
        lists = {"features": list(self.features), "classes": list(self.classes)}
        found = {"title": title, "input": self.words, **lists}
        return {name: value for name, value in found.items() if value}


class Whole(nn.Module):
    """A network with the scales before and behind it."""

    def __init__(self, model: nn.Module, inputs: Scale | None, targets: Scale | None) -> None:
        super().__init__()
        self.model = model
        self.inputs = None if inputs is None else Scaling(*inputs)
        self.targets = None if targets is None else Scaling(*targets)

    def forward(self, inputs: Tensor) -> Any:
        """Raw inputs to answers in the user's units."""
        outputs = self.model(inputs if self.inputs is None else (inputs - self.inputs.mean) / self.inputs.deviation)
        return outputs if self.targets is None else outputs * self.targets.deviation + self.targets.mean


class Scaling(nn.Module):
    """Holds a mean and a standard deviation, that they move with the network."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5)


def _in_words(inputs: Tensor) -> str:
    if inputs.dtype == torch.uint8:
        return "pixels from 0 to 255" + (", red, green and blue of image files" if inputs.shape[1] == 3 else "")
    return "numbers on the scale of the training data" if inputs.is_floating_point() else "tokens"
