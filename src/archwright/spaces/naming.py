"""What the channels of a network compute, told by names, so that a network can begin as another one.

Where a network takes over its parent's weights, every channel of its tensors is named by what it computes in terms of
the parent: channel 3 of a convolution, its ReLU, that pooled. Channels of one name are equal, wherever they lie and
however many there are. With that, one rule serves every change of an architecture: what read some channels of the
parent now reads the channels of the same names, shares its weights among copies, and gives weight 0 to all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Key = tuple[Any, ...]
"""What a step is called in its network: (section, block, part ...)."""

Name = tuple[Any, ...]
"""(key of a step of the parent, channel), ("new", key, channel), ("image", channel), or one of these inside
("relu", name), ("pool", which, name), ("at", position, name)."""

Names = tuple[Name, ...]
"""A tensor's, one a channel."""


class Named(NamedTuple):
    """A tensor's channels.

    Attributes:
        exact: the channels are equal to what they are called after; False: something near it.
    """

    names: Names
    exact: bool = True


class Pairs(NamedTuple):
    """Which of our channels stands for which of the parent's: own[i] for theirs[i].

    Attributes:
        complete: each of the parent's has one that is equal.
    """

    own: list[int]
    theirs: list[int]
    complete: bool


def rectified(name: Name) -> Name:
    """The name after a ReLU: the same for what is never negative, which makes layers that hand on invisible."""
    return name if _never_negative(name) else ("relu", name)


def _never_negative(name: Name) -> bool:
    while name[0] in ("pool", "at"):
        name = name[-1]
    return bool(name[0] == "relu")


def pairs(own: Sequence[Any], theirs: Sequence[Any]) -> Pairs:
    """Pairs equal names: copies of one take turns, on either side.

    Where nothing of ours is equal to one of the parent's, ours of the same place stands in for it, if it is called
    after nothing that the parent reads.
    """
    ours, left, right = _places(own), list[int](), list[int]()
    wanted = _places(theirs)
    missing: list[int] = []
    for name, there in wanted.items():
        here = ours.get(name, [])
        if not here:
            missing += there
            continue
        for turn in range(max(len(here), len(there))):
            left.append(here[turn % len(here)])
            right.append(there[turn % len(there)])
    for place in missing:
        if place < len(own) and own[place] not in wanted:
            left.append(place)
            right.append(place)
    return Pairs(left, right, not missing)


def _places(names: Iterable[Any]) -> dict[Any, list[int]]:
    places: dict[Any, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    return dict(places)


def spread(weight: Tensor, paired: Pairs, width: int, generator: torch.Generator) -> Tensor:
    """The weights of a linear map for our inputs: (outputs, parent's inputs, ...) -> (outputs, width, ...).

    Copies of an input share its weight unevenly, at random (each between a half and one and a half, over the sum):
    the sum is the parent's, and gradients of different size let the copies come apart. (Net2Net shares evenly and adds
    noise, with which the function is no longer exactly the parent's.)
    """
    own = torch.tensor(paired.own, dtype=torch.long, device=weight.device)
    theirs = torch.tensor(paired.theirs, dtype=torch.long, device=weight.device)
    share = torch.rand(len(weight), len(own), generator=generator, dtype=weight.dtype).to(weight.device) + 0.5
    whole = share.new_zeros(weight.shape[:2]).index_add(1, theirs, share)
    share = (share / whole[:, theirs]).reshape(*share.shape, *(1 for _ in weight.shape[2:]))
    return weight.new_zeros(len(weight), width, *weight.shape[2:]).index_add(1, own, weight[:, theirs] * share)
