"""Batch-norms side by side: their arithmetic by channel, which our own kernels leave to PyTorch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archwright.supernets.mixing import momentum_of


class Norms:
    """Batch-norms side by side, a row each: (norms, channels), float64. None stands for no batch-norm at all.

    Args:
        mean: the mean of what each reads, and its biased variance: of the batch in training, else the running ones are
            taken.
        numbers: in each channel of the batch.
    """

    def __init__(
        self,
        norms: Sequence[nn.BatchNorm2d | None],
        channels: int,
        mean: Sequence[Tensor],
        variance: Sequence[Tensor],
        numbers: int,
    ) -> None:
        self.there = [norm for norm in norms if norm is not None]
        self.numbers = numbers
        zeros, ones = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)
        if self.there and not self.there[0].training:
            mean = [zeros if norm is None or norm.running_mean is None else norm.running_mean for norm in norms]
            variance = [ones if norm is None or norm.running_var is None else norm.running_var for norm in norms]
        self.mean, self.variance = _rows(mean, channels), _rows(variance, channels)
        affine = [None if norm is None or not norm.affine else norm for norm in norms]
        self.scale = _rows([ones if norm is None else norm.weight.detach() for norm in affine], channels)
        self.shift = _rows([zeros if norm is None else norm.bias.detach() for norm in affine], channels)
        self.present = torch.tensor([norm is not None for norm in norms]).double()[:, None]
        epsilon = torch.tensor([0.0 if norm is None else norm.eps for norm in norms], dtype=torch.float64)
        self.rate = (self.variance + epsilon[:, None]).rsqrt()
        """1 / deviation."""

    def keep(self) -> None:
        """Updates the running statistics, as a call in training does."""
        present = self.present.flatten().bool()
        unbiased = self.variance[present] * (self.numbers / max(1, self.numbers - 1))
        batch = zip(self.mean[present].unbind(), unbiased.unbind(), strict=True)
        kept: dict[float, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for norm, (mean, variance) in zip(self.there, batch, strict=True):
            if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
                dtype = norm.running_mean.dtype
                pairs = (norm.running_mean, mean.to(dtype)), (norm.running_var, variance.to(dtype))
                kept[momentum_of(norm)] += pairs
        for factor, found in kept.items():
            torch._foreach_lerp_([old for old, _ in found], [new for _, new in found], factor)

    def scale_and_shift(self, weight: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """weight * norm(p) is the one times p plus the other."""
        scale = weight * self.scale * self.rate
        return scale, weight * self.shift - scale * self.mean

    def backward(self, total: Tensor, product: Tensor, weight: Tensor | float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """The gradient at p is the first times g, plus the second times p, plus the third, of the gradient g behind.

        Args:
            total: the sum of g; `product`: that of g * (p - mean) / deviation. Both as if weight were 1.
        """
        slope = weight * self.scale * self.rate
        curve = -slope * self.rate * product * self.present / self.numbers
        return slope, curve, -slope * total * self.present / self.numbers - curve * self.mean


def _rows(rows: Sequence[Tensor], channels: int) -> Tensor:
    return torch.stack([row.double() for row in rows]) if rows else torch.zeros(0, channels, dtype=torch.float64)
