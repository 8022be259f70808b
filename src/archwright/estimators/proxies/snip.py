"""SNIP: Lee, Ajanthan and Torr, 2019; as a score of architectures: Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class Snip:
    """How much the loss depends on each weight's being there: the sum of |w dL/dw|."""

    metric: ClassVar[str] = "snip"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The sum over all weights."""
        pairs = zip(probe.weights, probe.gradients(), strict=True)
        return total((weight.detach() * slope).abs().sum() for weight, slope in pairs if slope is not None)
