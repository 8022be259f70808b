"""Networks whose nodes may read one another: what has to be computed, weighted sums, concatenations of open size."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor, nn

from archwright.spaces.ops import add

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

Node = TypeVar("Node", bound=Hashable)


def needed(reads: Mapping[Node, Iterable[Node]], last: Node) -> set[Node]:
    """`last` and all that it reads, directly or through others; a node that `reads` doesn't name reads nothing."""
    found, queue = {last}, [last]
    while queue:
        for source in reads.get(queue.pop(), ()):
            if source not in found:
                found.add(source)
                queue.append(source)
    return found


def absent(weight: Weight) -> bool:
    """Whether what has this weight need not be computed: it is exactly 0, and no gradient has to reach the weight."""
    return isinstance(weight, float) and weight == 0.0


def weighted_sum(terms: Iterable[tuple[Tensor, Weight]]) -> Tensor:
    """The sum of tensors of one shape times their weights; a weight of 1.0 costs nothing."""
    return add([tensor if isinstance(weight, float) and weight == 1.0 else weight * tensor for tensor, weight in terms])


class Joined(nn.Module):
    """A 1x1 convolution of a concatenation whose parts may come and go.

    A convolution of a concatenation is the sum of one convolution a part, so each part keeps weights of its own and
    the output's shape does not depend on which parts there are. (ENAS keeps the rows of one large matrix; Pham et al.,
    2018, whose code gathers them.)
    """

    def __init__(self, parts: Iterable[int], channels: int, out_channels: int) -> None:
        """`parts` are numbers of parts of `channels` each."""
        super().__init__()
        self.parts = nn.ModuleDict({str(part): nn.Conv2d(channels, out_channels, 1, bias=False) for part in parts})

    def forward(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """One a part, (batch, channels, height, width), or None for one that isn't there now -> (batch, out_channels,
        height, width)."""
        return add([part(x) for part, x in zip(self.parts.values(), tensors, strict=True) if x is not None])
