"""Weight inheritance: a network begins with what another one has learnt, whatever was changed in between."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from archwright.core.rng import seed_for
from archwright.objectives.costs import in_evaluation
from archwright.training.memory import out_of_memory

CLOSE = 1e-4
"""How far outputs that count as equal may be from each other, in shares of the largest: weights are float32."""

WHOLE = (nn.RNNBase, nn.MultiheadAttention)
"""Modules that stack several matrices in one tensor: a part of it would mix them."""


@dataclass(frozen=True)
class Inheritance:
    """How much came from the parent.

    Attributes:
        share: of the child's parameters and batch-norm statistics, those that are no longer as they were initialised.
        exact: the child computes what its parent computes, as far as the inputs tell, in evaluation mode.
        distilled: epochs in which the child then learnt to answer as its parent does.
    """

    share: float = 0.0
    exact: bool = False
    distilled: int = 0


@torch.no_grad()
def inherit(child: nn.Module, parent: nn.Module, inputs: Tensor | None, seed: int) -> Inheritance:
    """Gives a fresh network its parent's weights; both lie on one device.

    A network that knows its morphisms (it has a method `inherit(parent, generator)`) takes over by itself. For any
    other, numbers go where the parent had them, see `matched` and `take_over`.

    Args:
        inputs: a few prepared examples, on which the two are compared; None if the two read different shapes. Nothing
            is exact then.
        seed: of what a morphism draws, such as the units that a wider layer repeats.
    """
    before = [value.clone() for value in _learnt(child)]
    own = getattr(child, "inherit", None)
    if own is not None and type(parent) is type(child):
        own(parent, torch.Generator().manual_seed(seed_for("inherit", seed)))
    else:
        for new, old in matched(child, parent):
            take_over(new, old)
    after = _learnt(child)
    taken = sum(int((new != old).sum()) for new, old in zip(after, before, strict=True))
    share = taken / max(sum(value.numel() for value in after), 1)
    return Inheritance(share, inputs is not None and alike(child, parent, inputs))


@torch.no_grad()
def alike(one: nn.Module, other: nn.Module, inputs: Tensor) -> bool:
    """Whether two networks give the same outputs in evaluation mode, up to rounding (`CLOSE`)."""
    left, right = (_outputs(network, inputs) for network in (one, other))
    if left.shape != right.shape:
        return False
    return bool((left - right).abs().max() <= CLOSE * right.abs().max().clamp(min=1.0))


def _outputs(network: nn.Module, inputs: Tensor) -> Tensor:
    """In float64: a GPU rounds the products of float32 convolutions to TF32, which has 10 bits."""
    try:
        return copy.deepcopy(network).double().eval()(inputs.double() if inputs.is_floating_point() else inputs)  # type: ignore[no-any-return]
    except RuntimeError as error:  # a module of the user's own that makes float32 numbers, or can't be copied
        if out_of_memory(error):  # no reason to compare more coarsely
            raise
        with in_evaluation(network):
            outputs: Tensor = network(inputs).double()
        return outputs


def matched(child: nn.Module, parent: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """The modules of a child that have numbers of their own, each with the parent's module that stands in its place.

    Modules correspond by their names. Lists of one length (`nn.Sequential`, `nn.ModuleList`) correspond place by place;
    of different lengths, by the alignment of the least edit distance, so that a layer inserted in the middle moves no
    layer behind it to the weights of another.
    """
    yield from _matched(child, parent, {})


def take_over(child: nn.Module, parent: nn.Module) -> None:
    """Copies a module's own numbers where the shapes overlap.

    The first channels correspond, and the middles of kernels. In linear layers and convolutions, what an inherited unit
    reads beyond its parent's inputs begins with weight zero: so a layer that became wider, or a kernel larger, leaves
    what the old units compute as it was (Elsken et al., 2017, type II), as long as only that was changed.
    """
    for new, old in _corresponding(child, parent):
        parts = [_overlap(axis, *sizes) for axis, sizes in enumerate(zip(new.shape, old.shape, strict=True))]
        if isinstance(child, nn.Linear | _ConvNd) and not isinstance(child, _ConvTransposeNd) and new.dim() > 1:
            new[parts[0][0]] = 0
        new[tuple(ours for ours, _ in parts)] = old[tuple(theirs for _, theirs in parts)]


def _corresponding(child: nn.Module, parent: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    """The tensors of two modules of one class of which a part, or all, can be handed down."""
    theirs = _numbers(parent)
    for name, new in _numbers(child).items():
        old = theirs.get(name)
        if old is not None and new.dim() == old.dim() and (new.shape == old.shape or _divisible(child, parent)):
            yield new, old


def _divisible(child: nn.Module, parent: nn.Module) -> bool:
    """Whether a part of a tensor means the same in both."""
    if isinstance(child, _ConvNd) and isinstance(parent, _ConvNd):  # of groups only where each has one channel
        return child.groups == parent.groups == 1 or all(one.groups == one.in_channels for one in (child, parent))
    return not isinstance(child, WHOLE)


def _overlap(axis: int, new: int, old: int) -> tuple[slice, slice]:
    """Which part of an axis both have, in each: the first of the channels, the middle of a kernel."""
    both = min(new, old)
    starts = ((new - both) // 2, (old - both) // 2) if axis > 1 else (0, 0)
    return slice(starts[0], starts[0] + both), slice(starts[1], starts[1] + both)


Known = dict[tuple[int, int], int]
"""How many numbers pairs of modules share, by their identities."""


def _matched(child: nn.Module, parent: nn.Module, known: Known) -> Iterator[tuple[nn.Module, nn.Module]]:
    if type(child) is type(parent) and _numbers(child):
        yield child, parent
    for one, other in _inside(child, parent, known):
        yield from _matched(one, other, known)


def _inside(child: nn.Module, parent: nn.Module, known: Known) -> list[tuple[nn.Module, nn.Module]]:
    """The children that correspond."""
    ours, theirs = dict(child.named_children()), dict(parent.named_children())
    if _is_list(ours) and _is_list(theirs) and len(ours) != len(theirs):
        return _aligned(list(ours.values()), list(theirs.values()), known)
    return [(module, theirs[name]) for name, module in ours.items() if name in theirs]


def _aligned(ours: Sequence[nn.Module], theirs: Sequence[nn.Module], known: Known) -> list[tuple[nn.Module, nn.Module]]:
    """The pairs, in order, that share the most numbers: those that the least edit distance keeps.

    (What is inserted or deleted costs its numbers, what is exchanged those that don't overlap. Of equal alignments the
    one that keeps the first of the parent's.)
    """
    shared = np.array([[_shared(one, other, known) for other in theirs] for one in ours])
    best = np.zeros((len(ours) + 1, len(theirs) + 1))  # of what begins at the row and the column
    for i in reversed(range(len(ours))):
        for j in reversed(range(len(theirs))):
            best[i, j] = max(shared[i, j] + best[i + 1, j + 1], best[i + 1, j], best[i, j + 1])
    pairs, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        if best[i, j] == shared[i, j] + best[i + 1, j + 1]:
            pairs.append((ours[i], theirs[j]))
            i, j = i + 1, j + 1
        elif best[i, j] == best[i + 1, j]:
            i += 1
        else:
            j += 1
    return pairs


def _shared(child: nn.Module, parent: nn.Module, known: Known) -> int:
    """How many numbers a child's module would take over, with all inside it."""
    pair = (id(child), id(parent))
    if pair not in known:
        known[pair] = sum(
            math.prod(map(min, new.shape, old.shape))
            for one, other in _matched(child, parent, known)
            for new, old in _corresponding(one, other)
        )
    return known[pair]


def _numbers(module: nn.Module) -> dict[str, Tensor]:
    """A module's own parameters and, of a batch-norm or instance-norm, statistics, without those of the modules inside.

    Other buffers, such as a mask, may be part of the architecture: they stay the child's.
    """
    statistics = dict(module.named_buffers(recurse=False)) if isinstance(module, _NormBase) else {}
    return {**dict(module.named_parameters(recurse=False)), **statistics}


def _learnt(network: nn.Module) -> list[Tensor]:
    """All parameters and statistics."""
    inside = (value for module in network.modules() for value in _numbers(module).values())
    return [value for value in inside if value.is_floating_point()]


def _is_list(children: dict[str, nn.Module]) -> bool:
    return bool(children) and all(name.isdigit() for name in children)
