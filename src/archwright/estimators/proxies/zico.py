"""ZiCo: Li et al., 2023 (inverse coefficient of variation on gradients)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Probe, total


@dataclass(frozen=True)
class ZiCo:
    """How large gradients are against how much they differ between batches: a sum over layers of the logarithm of the
    sum over weights of mean |g| / std g, g being the gradients of each batch by itself (equation 16).

    The authors' code did not clear the gradients between its batches when it was published, so that a g was the sum of
    those so far; a few days later it did (their commit d7076d5). Weights whose g never changes are left out, as there.
    """

    metric: ClassVar[str] = "zico"
    batches: ClassVar[int] = 2

    def measure(self, probe: Probe) -> float:
        """The score over all batches, two in the authors' code.

        Raises:
            ArchwrightError: there is one batch only.
        """
        if len(probe.batches) < 2:
            raise ArchwrightError("zico compares the gradients of several batches, and there is one")
        last_first = [
            probe.gradients(number) for number in reversed(range(len(probe.batches)))
        ]  # the first one is kept
        ratios = []
        for of_weight in zip(*reversed(last_first), strict=True):
            known = [slope for slope in of_weight if slope is not None]
            if known:
                slopes = torch.stack(known)  # (batches, ...)
                deviation, size = slopes.std(0, correction=0), slopes.abs().mean(0)
                ratios.append(torch.where(deviation > 0, size / deviation, 0.0).sum())
        return total(ratio.log() for ratio in ratios if ratio > 0)
