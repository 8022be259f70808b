"""GraSP: Wang, Zhang and Grosse, 2020; as a score of architectures: Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class Grasp:
    """How much the gradient's size depends on each weight's being there: the sum of -w (H g), H the loss's Hessian.

    The sign is that of the reference implementation of Abdelfattah et al., which is GraSP's own.
    """

    metric: ClassVar[str] = "grasp"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The sum over all weights; a second run of the network, with derivatives of derivatives."""
        given = probe.batches[0]
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels of attention have no second derivatives
            loss = probe.loss(probe.run(given.inputs).outputs, given.targets)
            slopes = torch.autograd.grad(loss, probe.weights, create_graph=True, allow_unused=True)
            live = [(weight, slope) for weight, slope in zip(probe.weights, slopes, strict=True) if slope is not None]
            along = sum(((slope * slope.detach()).sum() for _, slope in live), torch.zeros_like(loss))
            curved = torch.autograd.grad(along, [weight for weight, _ in live], allow_unused=True)
        pairs = zip(live, curved, strict=True)
        return -total((weight.detach() * second).sum() for (weight, _), second in pairs if second is not None)
