"""SynFlow: Tanaka, Kunin, Yamins and Ganguli, 2020; as a score of architectures: Abdelfattah et al., 2021."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import log1p
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import NORMS, Probe, gradients, in_mode, is_weight, total


@dataclass(frozen=True)
class Synflow:
    """What flows through the weights' absolute values: log(1 + sum of |w dR/dw|), R the sum of the outputs for ones.

    No data takes part. Batch-norm and other normalisations are passed by, as the reference implementation of
    Abdelfattah et al. does with batch-norm. The logarithm, which NAS-Bench-Suite-Zero stores too, changes no ranks: the
    sum spans fifty orders of magnitude in NAS-Bench-201 alone, so it is computed in float64, as there.
    """

    metric: ClassVar[str] = "synflow"
    batches: ClassVar[int] = 0

    def measure(self, probe: Probe) -> float:
        """The logarithm of the sum over all weights."""
        with without_norms(probe.network):
            return flow(probe)


@dataclass(frozen=True)
class SynflowBN:
    """The same with batch-norm in its place, which normalises by the one example of ones (synflow_bn there)."""

    metric: ClassVar[str] = "synflow_bn"
    batches: ClassVar[int] = 0

    def measure(self, probe: Probe) -> float:
        """The logarithm of the sum over all weights."""
        return flow(probe)


def flow(probe: Probe) -> float:
    """log(1 + sum of |w dR/dw|) of the network as it is."""
    names = {name: is_weight(parameter) for name, parameter in probe.network.named_parameters()}
    held = {**dict(probe.network.named_parameters()), **dict(probe.network.named_buffers())}
    state = {name: tensor.detach().abs().double() for name, tensor in held.items() if tensor.is_floating_point()}
    weights = [state[name].requires_grad_() for name, counts in names.items() if counts]
    if not weights:
        raise ArchwrightError("the network has no weights")
    ones = torch.ones_like(probe.entry[:1], dtype=torch.float64)
    passed = probe.run(probe.batches[0].inputs[:1], ones, state)
    slopes = gradients(passed.outputs.sum(), weights)
    pairs = zip(weights, slopes, strict=True)
    return log1p(total((weight.detach() * slope).abs().sum() for weight, slope in pairs if slope is not None))


@contextmanager
def without_norms(network: nn.Module) -> Iterator[None]:
    """Inside, normalisations hand their input on, and the network is in evaluation mode, so that nothing is dropped."""
    norms = [module for module in network.modules() if isinstance(module, NORMS)]
    for norm in norms:
        norm.forward = _hand_on  # type: ignore[method-assign]
    try:
        with in_mode(network, training=False):
            yield
    finally:
        for norm in norms:
            del norm.forward


def _hand_on(x: Tensor, *_: Any) -> Tensor:
    return x
