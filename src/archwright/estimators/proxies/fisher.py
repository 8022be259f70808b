"""Fisher pruning: Theis et al., 2018; for architectures Turner et al., 2020, and Abdelfattah et al., 2021."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies.probe import Probe, total


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
            ArchwrightError: the network calls no such layer.
        """
        if not probe.passed.layers:
            raise ArchwrightError("fisher looks at convolutions and linear layers, and the network has none")
        return total(
            layer.weight.numel() // by_channel.shape[1] * by_channel.square().mean(0).sum() / 2
            for layer, by_channel in probe.saliencies
        )
