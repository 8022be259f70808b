"""The weights' size, which no data takes part in: a baseline of NAS-Bench-Suite-Zero (Krishnakumar et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class L2Norm:
    """The sum over matrices and kernels of their Euclidean norm."""

    metric: ClassVar[str] = "l2_norm"
    batches: ClassVar[int] = 0

    def measure(self, probe: Probe) -> float:
        """The sum of the norms."""
        return total(weight.detach().norm() for weight in probe.weights)
