"""Gradients of a relaxation's parameters (DARTS: Liu, Simonyan and Yang, 2019b, section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archwright.core.errors import ArchwrightError
from archwright.supernets.calibration import untracked

if TYPE_CHECKING:
    from archwright.supernets.relaxation import Batch, Relaxation, Step


def first_order(relaxation: Relaxation, step: Step) -> Sequence[Tensor]:
    """Of the validation loss at the present weights: equation 6 with xi = 0."""
    return _of_architecture(relaxation, step, step.valid)


def single_level(relaxation: Relaxation, step: Step) -> Sequence[Tensor]:
    """Of the training loss: architecture and weights learn from the same batch (SNAS, Xie et al., 2019)."""
    return _of_architecture(relaxation, step, step.train)


def unrolled(relaxation: Relaxation, step: Step) -> Sequence[Tensor]:
    """Of the validation loss after one step of the weights: equation 7, its Hessian product by equation 8.

    w' = w - xi * (momentum + gradient of the training loss), where xi is the weights' learning rate; the gradient is
    that at w', less d/da <d/dw training loss, xi * d/dw' validation loss>, by a difference of two gradients at
    w +- epsilon * xi * d/dw' validation loss, epsilon being such that the weights move by 0.01. These two are computed
    without mixed precision, whose rounding would drown their difference. As in the authors' code the step is that of
    plain momentum, and is not clipped. Afterwards the weights are what they were, bit for bit.
    """
    own = list(relaxation.parameters())
    parameters, directions, rates = _weight_step(step, relaxation)
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter, direction, rate in zip(parameters, directions, rates, strict=True):
                parameter.sub_(direction, alpha=rate)
        relaxation.apply_weights()
        loss = _loss(step, step.valid) + relaxation.cost()
        gradients = _gradients(loss, [*own, *parameters])
        ahead = gradients[: len(own)]
        vector = [rate * part for rate, part in zip(rates, gradients[len(own) :], strict=True)]
        norm = float(torch.stack([part.square().sum() for part in vector]).sum().sqrt())
        if norm == 0.0:  # a learning rate of zero, at the end of a schedule
            return ahead
        epsilon = 0.01 / norm
        sides = []
        for sign in (epsilon, -epsilon):
            with torch.no_grad():
                for parameter, before, part in zip(parameters, kept, vector, strict=True):
                    parameter.copy_(before).add_(part, alpha=sign)
            relaxation.apply_weights()
            with untracked(step.network), _unrounded(step.train[0].device):
                sides.append(_gradients(step.plain_loss(step.train), own))
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, kept, strict=True):
                parameter.copy_(before)
    return [here - (plus - minus) / (2 * epsilon) for here, plus, minus in zip(ahead, *sides, strict=True)]


def _of_architecture(relaxation: Relaxation, step: Step, batch: Batch) -> list[Tensor]:
    """Gradients of the loss on a batch for the relaxation's parameters alone: none is computed for the weights."""
    relaxation.apply_weights()
    return _gradients(_loss(step, batch) + relaxation.cost(), list(relaxation.parameters()))


def _weight_step(step: Step, relaxation: Relaxation) -> tuple[list[Tensor], list[Tensor], list[float]]:
    """The weights, the directions in which SGD would move them on the training batch, and its learning rates."""
    if not isinstance(step.optimizer, torch.optim.SGD):
        raise ArchwrightError("an unrolled step looks ahead along SGD: train the shared weights by optimizer='sgd'")
    parameters: list[Tensor] = []
    settings = []
    for group in step.optimizer.param_groups:
        parameters += group["params"]
        settings += [group] * len(group["params"])
    with torch.no_grad():
        relaxation.apply_weights()
    gradients = _gradients(_loss(step, step.train), parameters)
    directions = []
    with torch.no_grad():
        for parameter, gradient, group in zip(parameters, gradients, settings, strict=True):
            direction = gradient + group["weight_decay"] * parameter
            buffer = step.optimizer.state.get(parameter, {}).get("momentum_buffer")
            directions.append(direction if buffer is None else direction + group["momentum"] * buffer)
    return parameters, directions, [group["lr"] for group in settings]


def _loss(step: Step, batch: Batch) -> Tensor:
    """An architecture step only asks: batch-norm's running statistics are the weight steps' alone."""
    with untracked(step.network):
        return step.loss(batch)


@contextmanager
def _unrounded(device: torch.device) -> Iterator[None]:
    """Inside, a GPU convolves in float32 proper. By default it rounds to TF32, with 10 bits for a fraction: between two
    sides that are so close, most of the difference would be rounding."""
    cudnn = torch.backends.cudnn
    if device.type != "cuda":
        yield
    elif hasattr(cudnn, "conv"):  # from torch 2.9 on; `flags` fails there if the user has set this
        before = cudnn.conv.fp32_precision
        cudnn.conv.fp32_precision = "ieee"
        try:
            yield
        finally:
            cudnn.conv.fp32_precision = before
    else:
        kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "benchmark_limit", "deterministic")}
        with cudnn.flags(**kept, allow_tf32=False):
            yield


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Of the loss; zeros for what had no part in it, and for all if none had."""
    if not loss.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))
