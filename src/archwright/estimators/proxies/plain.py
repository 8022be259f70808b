"""The gradient's projection on the weights: "plain" of the reference implementation of Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class Plain:
    """The sum of w dL/dw, with its sign (Mozer and Smolensky's sensitivity, 1989)."""

    metric: ClassVar[str] = "plain"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The sum over all weights."""
        pairs = zip(probe.weights, probe.gradients(), strict=True)
        return total((weight.detach() * slope).sum() for weight, slope in pairs if slope is not None)
