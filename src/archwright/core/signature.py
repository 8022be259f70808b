"""What a space builds a network for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """The shapes at a network's two ends, and how wide it should be in between.

    Attributes:
        input_shape: one example without the batch, such as (1, 28, 28) for channels, height, width,
            (features,) for a vector, or (length,) for a text.
        outputs: how many numbers the network returns for one example, or for each of its positions: classes, or
            regression targets.
        width: multiplies every channel count that a network asks `channels` for; the lower fidelity "width".
        vocabulary: inputs are tokens, whole numbers (int64) from 0 to below this; 0 where they are numbers (float32).
        positions: where a network says something about each position of an example, their shape: (length,) for the
            next token after each of a text, (height, width) for the class of each pixel. () for one answer an example.
    """

    input_shape: tuple[int, ...]
    outputs: int
    width: float = 1.0
    vocabulary: int = 0
    positions: tuple[int, ...] = ()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """What a network returns for one example, without the batch: outputs first, as torch's losses want it."""
        return (self.outputs, *self.positions)

    def channels(self, count: int) -> int:
        """`count` at this signature's width, at least 1: use it for every hidden channel count."""
        return max(1, round(count * self.width))
