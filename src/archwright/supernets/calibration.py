"""Batch-norm that is right for one path: statistics shared by all paths fit none (Guo et al., 2020, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from archwright.objectives.costs import in_evaluation

_NORMS = nn.modules.batchnorm._BatchNorm
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@contextmanager
def calibrated(network: nn.Module, batches: Iterable[Tensor]) -> Iterator[None]:
    """Inside, each batch-norm that `network` runs now has the statistics of `batches`, as one pass of training would
    see them; afterwards those from before are back."""
    norms = [module for module in network.modules() if isinstance(module, _NORMS) and module.running_mean is not None]
    kept = [([getattr(norm, name) for name in _STATISTICS], norm.momentum) for norm in norms]
    with in_evaluation(network):
        try:
            for norm, (before, _) in zip(norms, kept, strict=True):
                norm.running_mean, norm.running_var = map(torch.empty_like, before[:2])
                # On the CPU, since the norm reads this count whenever it runs: a GPU would be waited for.
                norm.num_batches_tracked = torch.empty_like(before[2], device="cpu")
                norm.reset_running_stats()
                norm.momentum = None  # the mean of all batches, each with the same weight
                norm.train()
            with torch.no_grad():
                for inputs in batches:
                    network(inputs)
            network.eval()
            yield
        finally:
            for norm, (statistics, momentum) in zip(norms, kept, strict=True):
                for name, statistic in zip(_STATISTICS, statistics, strict=True):
                    setattr(norm, name, statistic)
                norm.momentum = momentum


@contextmanager
def untracked(network: nn.Module) -> Iterator[None]:
    """Inside, batch-norms in training use a batch's statistics but don't add them to their running ones.

    For forward passes that only ask, such as an architecture step's at weights that no step will have.
    """
    norms = [module for module in network.modules() if isinstance(module, _NORMS) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
