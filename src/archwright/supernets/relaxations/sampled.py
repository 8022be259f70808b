"""What relaxations that draw at random have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from archwright.core.choices import Subset
from archwright.spaces.opening import Undecided
from archwright.supernets.relaxation import Relaxation


class Sampled(Relaxation):
    """A relaxation whose weights learn on one architecture at a time, drawn from the distribution.

    After an epoch its score is that of the likeliest architecture.
    """

    def path(self) -> dict[str, dict[int, float]]:
        """Of each choice what an architecture takes, drawn as by `largest`, with weight 1."""
        rows = zip(self.names, self.logits, strict=True)
        drawn = read([largest(self.network.choices[name], row + gumbel(row)) for name, row in rows])
        return {name: dict.fromkeys(options, 1.0) for name, options in zip(self.names, drawn, strict=True)}

    def draws(self) -> Iterator[None]:
        """One path, at what its own network costs."""
        with torch.no_grad():
            self.network.open()
            self.network.mix(self.path())
        yield

    def settle(self) -> None:
        """The network is the architecture that it stands for."""
        self.network.decide(self.architecture())


def gumbel(like: Tensor) -> Tensor:
    """Gumbel noise of that shape: the place of the largest logit + noise has the softmax distribution."""
    return -torch.empty_like(like).exponential_().log()


def size_of(choice: Undecided) -> int:
    """How many of its options an architecture takes: of a Subset its size, else one."""
    return choice.choice.size if isinstance(choice.choice, Subset) else 1


def largest(choice: Undecided, noisy: Tensor) -> Tensor:
    """The options with the largest numbers, as many as an architecture takes: (size,).

    Of logits with Gumbel noise they are a draw by the probabilities, one after the other and without replacement (the
    Gumbel-top-k trick: Kool, van Hoof and Welling, 2019). Where taking no part, the number after the last, is largest
    of all, it is all that is drawn.

    Args:
        noisy: a number for each option, and one for taking no part where there is that.
    """
    if size_of(choice) == 1:
        return noisy.argmax()[None]
    options = len(choice.options)
    taken = noisy[:options].topk(size_of(choice)).indices
    return torch.where(noisy.argmax() < options, taken, options) if choice.optional else taken


def softly_largest(choice: Undecided, noisy: Tensor, temperature: float) -> Tensor:
    """How far each option is among those with the largest numbers: of one softmax(noisy / temperature), of a Subset
    the sum of as many softmaxes (Plötz and Roth, 2018; Xie and Ermon, 2019).

    Each of them sees less, by the logarithm of the share that is left, of what those before have taken. The numbers
    add up to the Subset's size, and as the temperature falls they tend to 1 for the largest and 0 for the others.
    """
    took = torch.softmax(noisy / temperature, 0)
    total = took
    for _ in range(size_of(choice) - 1):
        noisy = noisy + (1 - took).clamp_min(torch.finfo(took.dtype).tiny).log()
        took = torch.softmax(noisy / temperature, 0)
        total = total + took
    return total


def read(drawn: Sequence[Tensor]) -> list[list[int]]:
    """The numbers in several tensors of one dimension, all read at once: a GPU is waited for."""
    numbers = iter(torch.cat(list(drawn)).tolist())
    return [list(islice(numbers, len(row))) for row in drawn]


def straight_through(hard: Tensor | float, soft: Tensor) -> Tensor:
    """The value of `hard`, exactly, with the gradient of `soft` (Bengio et al., 2013)."""
    return (soft - soft.detach()) + hard


def annealed(start: float, end: float, epoch: int, epochs: int) -> float:
    """From `start` in the first epoch to `end` in the last, in equal steps."""
    return start + (end - start) * epoch / max(1, epochs - 1)
