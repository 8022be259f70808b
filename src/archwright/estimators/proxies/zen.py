"""Zen-score: Lin et al., 2021 (Zen-NAS), algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch
from torch import Tensor, nn

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Probe


@dataclass(frozen=True)
class Zen:
    """How strongly a network with normal weights responds to a small change of a normal input.

    The logarithm of the change of the features, those before the global pooling, plus that of what batch-norm divided
    by: sum of log sqrt(mean variance). As in the authors' code, the change is the sum of absolute differences (the
    paper has a Euclidean norm), and the variances are batch-norm's running ones after the runs of both inputs, which
    begin at 1. Networks without global pooling have their features before the last linear layer.

    Attributes:
        repeats: draws of weights and inputs, whose mean is the score. The authors' script has 32, NAS-Bench-Suite-Zero
            one.
        gamma: size of the change against the input's, 0.01 in the authors' script.
    """

    repeats: int = 1
    gamma: float = 0.01
    metric: ClassVar[str] = "zen"
    batches: ClassVar[int] = 0

    def measure(self, probe: Probe) -> float:
        """The mean score.

        Raises:
            ArchwrightError: the network has neither a global pooling nor a linear layer.
        """
        norms = {
            name: module
            for name, module in probe.network.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is not None
        }
        state = {f"{name}.running_var": torch.ones_like(_variance(norm)) for name, norm in norms.items()}
        inputs, like = probe.batches[0].inputs, probe.entry
        total = 0.0
        with torch.no_grad():
            for repeat in range(self.repeats):
                state |= _normal_weights(probe, repeat)
                first, second = (probe.noise(like, "zen", repeat, part) for part in ("input", "change"))
                before, after = (
                    probe.run(inputs, numbers, state).features for numbers in (first, first + self.gamma * second)
                )
                if before is None or after is None:
                    raise ArchwrightError("zen looks at features before a pooling or a linear layer, and there is none")
                change = float((after - before).abs().flatten(1).sum(1).mean())
                total += log(change) + sum(log(float(state[f"{name}.running_var"].mean())) / 2 for name in norms)
        return total / self.repeats


def _normal_weights(probe: Probe, repeat: int) -> dict[str, Tensor]:
    """Matrices and kernels drawn anew, biases zero; batch-norm's scales are 1 in a fresh network."""
    return {
        name: probe.noise(held, "zen", repeat, name) if held.dim() > 1 else torch.zeros_like(held)
        for name, held in probe.network.named_parameters()
        if held.dim() > 1 or name.endswith("bias")
    }


def _variance(norm: nn.modules.batchnorm._BatchNorm) -> Tensor:
    assert norm.running_var is not None
    return norm.running_var
