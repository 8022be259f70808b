"""From a vector for each parameter to the parameter's numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Decoder(nn.Module):
    """Writes tensors of any shape: slices of one tile, which is a linear function of the parameter's vector.

    A kernel smaller than the tile gets its centre, a larger one its repetition; so do channels, from their beginning.
    (Graph hypernetworks slice and repeat alike: Zhang, Ren and Urtasun, 2019; Knyazev et al., 2021, section 3.2.) Only
    what is used of the tile is computed. Scales and shifts of one dimension are written apart, about the numbers that
    they are given.

    Args:
        hidden: length of the vectors.
        channels, kernel: of the tile: (channels out, channels in, kernel, kernel).
        scaled: gives numbers of about unit variance, (n, out, fan-in), the variance that a layer should start with.
    """

    def __init__(self, hidden: int, channels: int, kernel: int, scaled: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.sides, self.scaled = (channels, channels, kernel, kernel), scaled
        # As a matrix: the training loop asks tensors of more dimensions to lie channels-last.
        self.tile = nn.Parameter(torch.randn(hidden, math.prod(self.sides)) / math.sqrt(hidden))
        self.vectors = nn.Parameter(torch.zeros(hidden, channels))

    def forward(self, hidden: Tensor, shapes: Sequence[torch.Size], centres: Sequence[float]) -> list[Tensor]:
        """One tensor a row.

        Args:
            hidden: (n, hidden).
            shapes: n shapes.
            centres: about which the numbers lie, where a shape has at most one dimension.
        """
        hidden = functional.layer_norm(hidden, hidden.shape[1:])  # unit variance in, unit variance out
        alike: dict[tuple[torch.Size, float], list[int]] = defaultdict(list)  # made together
        for row, kind in enumerate(zip(shapes, centres, strict=True)):
            alike[kind].append(row)
        largest = [max(sides) for sides in zip(*map(_four, shapes), strict=True)]
        # Cut twice, since the gradient of each cut is as large as what it was cut from.
        tile = _cut(self.tile.view(-1, *self.sides), largest).contiguous()
        made: dict[int, Tensor] = {}
        for (shape, centre), rows in alike.items():
            some = (
                self._vectors(hidden[rows], shape, centre)
                if len(shape) < 2
                else self._tensors(hidden[rows], shape, tile)
            )
            made.update(zip(rows, some.unbind(), strict=True))
        return [made[row] for row in range(len(shapes))]

    def _vectors(self, hidden: Tensor, shape: torch.Size, centre: float) -> Tensor:
        size = math.prod(shape)
        made = hidden @ self.vectors[:, : min(size, self.vectors.shape[1])]
        return centre + _repeated(made, (size,)).reshape(-1, *shape)

    def _tensors(self, hidden: Tensor, shape: torch.Size, tile: Tensor) -> Tensor:
        wanted = _four(shape)
        used = _cut(tile, wanted)
        made = (hidden @ used.flatten(1)).view(-1, *used.shape[1:])
        return self.scaled(_repeated(made, wanted).flatten(2)).reshape(-1, *shape)


def he(numbers: Tensor) -> Tensor:
    """The variance that keeps activations alike from layer to layer (He et al., 2015): 2 / fan-in. (n, out, fan-in)."""
    return numbers * math.sqrt(2 / numbers.shape[2])


def unit_norm(numbers: Tensor) -> Tensor:
    """Each output's weights divided by their Euclidean norm: SMASH's simplified weight normalisation."""
    return functional.normalize(numbers, dim=2)


def _four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """Out, in, height and width of a layer's weights; what is missing is 1, what is more is flattened into the last."""
    out, into, *window = [*shape, 1, 1] if len(shape) < 2 else shape
    padded = [1] * (2 - len(window)) + window
    return out, into, padded[0], math.prod(padded[1:])


def _cut(tile: Tensor, wanted: Sequence[int]) -> Tensor:
    """Of (hidden, out, in, height, width) the first channels and the centre, as far as wanted."""
    for dim, want in enumerate(wanted, start=1):
        side = tile.shape[dim]
        length = min(side, want)
        tile = tile.narrow(dim, (side - length) // 2 if dim > 2 else 0, length)
    return tile


def _repeated(made: Tensor, wanted: Sequence[int]) -> Tensor:
    """(n, ...) -> (n, *wanted), repeated along what is too short."""
    times = [math.ceil(want / have) for want, have in zip(wanted, made.shape[1:], strict=True)]
    if any(count > 1 for count in times):
        made = made.repeat(1, *times)
    for dim, want in enumerate(wanted, start=1):
        made = made.narrow(dim, 0, want)
    return made
