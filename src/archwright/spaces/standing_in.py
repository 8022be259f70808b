"""What stands in for channels of the parent that a network no longer computes: a linear function of those that it does.

A layer that was removed is told as one: its ReLU by the straight line that fits best what enters it, the layer behind
it and itself then make one convolution. This begins far nearer to the parent than without the layer's part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from archwright.spaces.naming import Key, Name, Names

STEPS = 12
"""How many steps back a stand-in is looked for: three layers and what is around them."""


class Linear(Protocol):
    """A step that is a linear function of what it reads, its shift apart."""

    def linear(self, channels: Sequence[int], inputs: Sequence[Names]) -> tuple[Tensor, Names]:
        """Kernels for some of its outputs, (channels, inputs, side, side), and the inputs."""
        ...


def with_stand_ins(
    dense: Tensor,
    theirs: Names,
    own: Names,
    steps: Mapping[Key, tuple[Linear, Sequence[Names]]],
    slope: Callable[[Name], float],
) -> tuple[Tensor, Names]:
    """The weights of a layer, and its inputs, after those that nothing of `own` equals are told in terms of `own`.

    Args:
        dense: (outputs, inputs, side, side), the inputs called `theirs`.
        steps: the parent's with weights, and what they read.
        slope: of the line that stands for the ReLU of a channel.
    """
    here = set(own)
    kept = [place for place, name in enumerate(theirs) if name in here]
    lost = [place for place, name in enumerate(theirs) if name not in here]
    found = _told([theirs[place] for place in lost], here, steps, slope, STEPS)
    if found is None:
        return dense, theirs
    kernels, names = found
    composed = _after(dense[:, lost], kernels)
    side = max(composed.shape[-1], dense.shape[-1])
    parts = [_padded(dense[:, kept], side), _padded(composed, side)]
    return torch.cat(parts, 1), (*(theirs[place] for place in kept), *names)


def _told(
    names: Sequence[Name],
    here: set[Name],
    steps: Mapping[Key, tuple[Linear, Sequence[Names]]],
    slope: Callable[[Name], float],
    left: int,
) -> tuple[Tensor, Names] | None:
    """Channels as a linear function of those that are here: kernels (names, found, side, side); None if of none."""
    groups: dict[tuple[Key, tuple[Any, ...]], list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        groups[_step_of(name), _around(name)].append(place)
    parts: list[tuple[list[int], Tensor, Names]] = []
    for (key, around), places in groups.items():
        if left == 0 or key not in steps:
            continue
        module, inputs = steps[key]
        bare = [_bare(names[place]) for place in places]
        kernels, read = module.linear([channel for _, channel in bare], inputs)
        if "relu" in around:
            kernels = kernels * kernels.new_tensor([slope(name) for name in bare])[:, None, None, None]
        outside = [wrap for wrap in around if wrap != "relu"]
        if outside:  # of an image that is smaller: what the kernel gives where nothing changes
            kernels = kernels.sum((2, 3), keepdim=True)
            read = tuple(_wrapped(name, outside) for name in read)
        missing = [place for place, name in enumerate(read) if name not in here]
        present = [place for place, name in enumerate(read) if name in here]
        if present:
            parts.append((places, kernels[:, present], tuple(read[place] for place in present)))
        elif missing:
            deeper = _told(read, here, steps, slope, left - 1)
            if deeper is not None:
                parts.append((places, _after(kernels, deeper[0]), deeper[1]))
    if not parts:
        return None
    found = tuple(dict.fromkeys(name for _, _, read in parts for name in read))
    column = {name: place for place, name in enumerate(found)}
    side = max(kernels.shape[-1] for _, kernels, _ in parts)
    told = parts[0][1].new_zeros(len(names), len(found), side, side)
    for places, kernels, read in parts:
        rows = kernels.new_zeros(len(places), len(found), side, side)
        columns = torch.tensor([column[name] for name in read], device=kernels.device)
        told[places] += rows.index_add(1, columns, _padded(kernels, side))
    return told, found


def _after(outer: Tensor, inner: Tensor) -> Tensor:
    """The one kernel of two convolutions: (a, b, k, k) after (b, c, l, l) is (a, c, k + l - 1, k + l - 1)."""
    margin = outer.shape[-1] - 1
    return functional.conv2d(inner.transpose(0, 1), outer.flip(2, 3), padding=margin).transpose(0, 1)


def _padded(kernel: Tensor, side: int) -> Tensor:
    return functional.pad(kernel, [(side - kernel.shape[-1]) // 2] * 4)


def _bare(name: Name) -> Name:
    while name[0] in ("relu", "pool", "at"):
        name = name[-1]
    return name


def _step_of(name: Name) -> Key:
    key: Key = _bare(name)[0] if isinstance(_bare(name)[0], tuple) else ()
    return key


def _around(name: Name) -> tuple[Any, ...]:
    """What a channel went through, the last first: ("pool", which), ("at", position) or "relu"."""
    around: list[Any] = []
    while name[0] in ("relu", "pool", "at"):
        around.append("relu" if name[0] == "relu" else name[:-1])
        name = name[-1]
    return tuple(around)


def _wrapped(name: Name, around: Sequence[tuple[Any, ...]]) -> Name:
    for wrap in reversed(around):
        name = (*wrap, name)
    return name
