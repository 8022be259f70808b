"""Partial channels (PC-DARTS: Xu et al., 2020, section 3.2): open ops that compute a part of their channels only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import BadSpace, Choice, Integer, label
from archwright.core.errors import in_one_line
from archwright.objectives.costs import example, in_evaluation
from archwright.spaces.ops import at_once
from archwright.supernets.mixed import OpenChoice
from archwright.supernets.mixing import unwatched
from archwright.supernets.open_network import OpenNetwork


def partial_channels(network: OpenNetwork, parts: int) -> OpenNetwork:
    """The same network left open anew, with candidates for one of `parts` equal parts of the channels.

    Its weights are of no use to a standalone network, whose candidates have all channels: only an architecture comes
    out of it. With 1 part it is the network itself.

    Raises:
        BadSpace: an op's channels can't be divided so, or are not the first axis of an example.
    """
    if parts == 1:
        return network
    opened = OpenNetwork(network.space, network.signature, network.affine, partial(PartialChoice, parts=parts))
    problem = _problem(opened)
    if problem is not None and _problem(network) is None:
        raise BadSpace(
            f"PC-DARTS divides channels, the first axis of an example, and {label(network.space.factory)} can't be "
            f"computed with one of {parts} parts of them ({problem}); use parts=1"
        )
    return opened


def _problem(network: OpenNetwork) -> str | None:
    """Why it can't compute a batch; None if it can."""
    try:
        # What an op draws is missed by no later draw.
        with in_evaluation(network), torch.no_grad(), torch.random.fork_rng(devices=[]):
            network(example(network, network.signature, 2))
    except Exception as error:  # a user's own module raises anything
        return in_one_line(error)
    return None


class PartialChoice(OpenChoice):
    """An open choice; called as an op that keeps the number of channels, it makes a `PartialMixed`."""

    def __init__(self, name: str, choice: Choice | Integer, optional: bool, parts: int) -> None:
        super().__init__(name, choice, optional)
        self.parts = parts

    def __call__(self, *args: Any, **kwargs: Any) -> nn.Module:
        """The module that any of the candidates would make, on a part of the channels.

        Raises:
            BadSpace: the channels can't be divided.
        """
        channels, stride = _kept(*args, **kwargs)
        if channels is None:
            return super().__call__(*args, **kwargs)
        if channels % self.parts:
            raise BadSpace(
                f"{self.name}: {channels} channels can't be divided into {self.parts} parts: give the space a number "
                "of channels that can, or the strategy another number of parts"
            )
        width = channels // self.parts
        return PartialMixed(super().__call__(width, width, stride), self.parts, stride)


def _kept(*args: Any, **kwargs: Any) -> tuple[int | None, int]:
    """The channels, if `op(in_channels, out_channels, stride)` is called and keeps them, and the stride."""

    def read(in_channels: int, out_channels: int, stride: int = 1) -> tuple[int | None, int]:
        return (in_channels if in_channels == out_channels else None), stride

    try:
        return read(*args, **kwargs)
    except TypeError:  # an op of another kind
        return None, 1


class PartialMixed(nn.Module):
    """The first of `parts` equal parts of the channels goes through the candidates; the others pass by.

    Of images, what passes by is max-pooled where the op has a stride. The channels are shuffled, so that the next op
    mixes others.
    """

    def __init__(self, mixed: nn.Module, parts: int, stride: int) -> None:
        super().__init__()
        self.mixed, self.parts, self.stride = mixed, parts, stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, ceil(height / stride), ceil(width / stride)).

        What are no images, (batch, channels) or (batch, channels, length), keeps its shape.
        """
        read, passing = self._split(x)
        return self._joined(self.mixed(read), passing)

    def at_once(self, modules: Sequence[nn.Module], x: Tensor) -> list[Tensor]:
        """What several ops, open or not, make of one tensor; those that are alike share what they can."""
        alike = [module for module in modules if isinstance(module, PartialMixed) and self._shares(module)]
        read, passing = self._split(x)
        made = dict(zip(map(id, alike), at_once([module.mixed for module in alike], read), strict=True))
        return [self._joined(made[id(module)], passing) if id(module) in made else module(x) for module in modules]

    def _shares(self, other: PartialMixed) -> bool:
        return (other.parts, other.stride) == (self.parts, self.stride) and unwatched(other)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        width = x.shape[1] // self.parts
        passing = x[:, width:]
        if self.stride > 1 and x.dim() == 4:
            passing = functional.max_pool2d(passing, self.stride, ceil_mode=True)
        return x[:, :width], passing

    def _joined(self, made: Tensor, passing: Tensor) -> Tensor:
        joined = torch.cat([made, passing], dim=1)
        if joined.dim() == 2:  # torch shuffles no vectors
            return functional.channel_shuffle(joined[..., None], self.parts)[..., 0]
        return functional.channel_shuffle(joined, self.parts)
