"""The gradient's size: grad_norm of Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class GradNorm:
    """The sum over matrices and kernels of the Euclidean norm of the loss's gradient."""

    metric: ClassVar[str] = "grad_norm"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The sum of the norms."""
        return total(slope.norm() for slope in probe.gradients() if slope is not None)
