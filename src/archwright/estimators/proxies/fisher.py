"""Fisher pruning: Theis et al., 2018; for architectures Turner et al., 2020, and Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Probe, total

CLOSED = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
"""Modules that multiply by their matrices where nobody sees what comes of it."""


@dataclass(frozen=True)
class Fisher:
    """How much the loss depends on each channel's being there, to second order.

    For a channel with activations a, the mean over the examples of (sum over pixels of a dL/da)^2 / 2. The reference
    implementation of Abdelfattah et al. gives this number to each weight of the channel and sums over weights, so a
    channel counts as often as it has weights; the paper sums over channels. Ours are the implementation's numbers.
    """

    metric: ClassVar[str] = "fisher"
    batches: ClassVar[int] = 1

    def measure(self, probe: Probe) -> float:
        """The sum over the channels of all convolutions and linear layers.

        Raises:
            ArchwrightError: the network calls no such layer, or has some inside torch's attention or recurrent modules.
        """
        closed = next((module for module in probe.network.modules() if isinstance(module, CLOSED)), None)
        if closed is not None:
            raise ArchwrightError(
                f"fisher looks at what linear layers make, and can't see into {type(closed).__name__}; "
                "write it with nn.Linear, or ask another proxy"
            )
        if not probe.passed.layers:
            raise ArchwrightError("fisher looks at convolutions and linear layers, and the network has none")
        return total(
            layer.weight.numel() // by_channel.shape[1] * by_channel.square().mean(0).sum() / 2
            for layer, by_channel in probe.saliencies
        )
