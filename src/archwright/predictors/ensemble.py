"""Several feed-forward networks that predict the same number, trained side by side as one batched product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archwright.predictors.threads import one_thread

if TYPE_CHECKING:
    from typing import Self

Array = np.ndarray[Any, np.dtype[np.float64]]

BETAS = (0.9, 0.99)
"""Adam's, in the program of BANANAS' authors."""


@dataclass
class Ensemble:
    """Networks that differ in their first weights and in the order of their batches, and are not otherwise told apart.

    ReLU networks, trained by Adam on the mean absolute error of standardised targets. All members' matrices are one
    three-dimensional array, so that five small networks take hardly longer than one. Runs on the CPU, in float32; its
    randomness comes from the seed alone.

    Attributes:
        members: networks.
        layers, width: hidden layers, and units in each.
        rate: Adam's learning rate.
        epochs: passes over the data.
        batch: examples a step.
    """

    members: int = 5
    layers: int = 10
    width: int = 20
    rate: float = 0.01
    epochs: int = 150
    batch: int = 32

    @one_thread()
    def fit(self, features: Array, targets: Array, seed: int) -> Self:
        """Trains on features (n, d) and targets (n,), n >= 1, from new first weights, and returns itself."""
        self._mean, self._spread = float(np.mean(targets)), float(np.std(targets)) or 1.0
        generator = torch.Generator().manual_seed(seed)
        sizes = [features.shape[1], *[self.width] * self.layers, 1]
        self._shapes = [
            shape
            for enter, leave in pairwise(sizes)
            for shape in ((self.members, enter, leave), (self.members, 1, leave))
        ]
        # One flat array of all parameters: Adam then takes one step in place of one a layer.
        flat = torch.cat([tensor.flatten() for tensor in self.start(sizes, generator)]).requires_grad_()
        adam = torch.optim.Adam([flat], lr=self.rate, betas=BETAS, fused=True)
        inputs = torch.as_tensor(features, dtype=torch.float32)
        answers = torch.as_tensor((targets - self._mean) / self._spread, dtype=torch.float32)
        for _ in range(self.epochs):
            for chosen in self.batches(len(answers), generator):
                error = self._forward(flat, inputs[chosen]) - answers[chosen]
                adam.zero_grad()
                error.abs().mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
                adam.step()
        self._flat = flat.detach()
        return self

    @one_thread()
    def predict(self, features: Array) -> Array:
        """Each member's prediction for features (m, d), in the targets' units: (members, m)."""
        inputs = torch.as_tensor(features, dtype=torch.float32).expand(self.members, *features.shape)
        with torch.no_grad():
            return self._mean + self._spread * np.asarray(self._forward(self._flat, inputs).double().numpy())

    def start(self, sizes: list[int], generator: torch.Generator) -> list[Tensor]:
        """First weights (members, in, out), uniform by Glorot and Bengio (2010), and biases (members, 1, out), zero."""
        parameters = []
        for enter, leave in pairwise(sizes):
            bound = math.sqrt(6.0 / (enter + leave))
            drawn = torch.rand(self.members, enter, leave, generator=generator)
            parameters += [(2.0 * drawn - 1.0) * bound, torch.zeros(self.members, 1, leave)]
        return parameters

    def batches(self, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """One pass over `count` examples, for each member in an order of its own: places (members, batch)."""
        order = torch.rand(self.members, count, generator=generator).argsort(dim=1)
        yield from torch.split(order, self.batch, dim=1)

    def _forward(self, flat: Tensor, inputs: Tensor) -> Tensor:
        """(members, batch, d) -> (members, batch)."""
        parts = torch.split(flat, [math.prod(shape) for shape in self._shapes])
        tensors = [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
        hidden = inputs
        for weight, bias in zip(tensors[:-2:2], tensors[1:-2:2], strict=True):
            hidden = torch.relu(torch.baddbmm(bias, hidden, weight))
        return torch.baddbmm(tensors[-1], hidden, tensors[-2]).squeeze(2)
