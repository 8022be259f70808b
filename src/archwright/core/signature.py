"""What a space builds a network for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """The shapes at a network's two ends, and how wide it should be in between.

    Attributes:
        input_shape: one example without the batch, such as (1, 28, 28) for channels, height, width,
            or (features,) for a vector.
        outputs: how many numbers the network returns for one example: classes, or regression targets.
        width: multiplies every channel count that a network asks `channels` for; the lower fidelity "width".
    """

    input_shape: tuple[int, ...]
    outputs: int
    width: float = 1.0

    def channels(self, count: int) -> int:
        """`count` at this signature's width, at least 1: use it for every hidden channel count."""
        return max(1, round(count * self.width))
