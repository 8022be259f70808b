"""jacob_cov: Mellor et al., 2020 (the first version of NAS without training); Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Probe

K = 1e-5
"""Of the authors' code; it keeps the logarithm finite."""


@dataclass(frozen=True)
class JacobCov:
    """How differently the outputs depend on different examples' inputs.

    With v the eigenvalues of the correlations between the examples' Jacobians, each that of the sum of all outputs:
    -sum(log(v + k) + 1 / (v + k)). It is largest, minus the batch size, where no two are correlated.
    """

    metric: ClassVar[str] = "jacob_cov"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The score, in float64.

        Raises:
            ArchwrightError: the outputs don't depend on the inputs.
        """
        jacobian = probe.jacobian
        if jacobian is None or not bool(jacobian.flatten(1).any(1).all()):
            raise ArchwrightError("jacob_cov compares derivatives, and the outputs do not depend on the inputs")
        rows = jacobian.flatten(1).double()
        rows = rows - rows.mean(1, keepdim=True)
        rows = rows / rows.norm(dim=1, keepdim=True)
        shifted = torch.linalg.eigvalsh(rows @ rows.T) + K
        return -float((shifted.log() + 1 / shifted).sum())
