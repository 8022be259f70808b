"""The steps of networks that grow: modules that know how to begin as a step of another network.

A step that only hands on, pools or joins channels says what its output is called (`names`). A step with weights
takes them over (`carry`): from its counterpart in the parent or, where it is new, so that it hands its input on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.spaces.naming import Key, Name, Named, Names, Pairs, pairs, rectified, spread
from archwright.spaces.standing_in import with_stand_ins


@dataclass(frozen=True)
class Counterpart:
    """The step of the parent that a step stands for.

    Attributes:
        inputs: what that step reads.
    """

    module: Learning
    key: Key
    inputs: Sequence[Names]


@dataclass
class Transfer:
    """One take-over of weights.

    Attributes:
        writes: False: only the names are wanted.
        moments: mean and variance of the parent's channels, as far as its batch-norms tell.
        made_by: for each of the parent's channels the last of its tensors that has it.
        steps: the parent's with weights, and what they read.
    """

    generator: torch.Generator
    writes: bool = False
    moments: dict[Name, tuple[float, float]] = field(default_factory=dict)
    made_by: dict[Name, int] = field(default_factory=dict)
    steps: dict[Key, tuple[Learning, Sequence[Names]]] = field(default_factory=dict)
    _wider: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def outputs(self, old: int, new: int, dense: Callable[[], Tensor]) -> list[int]:
        """Which of the parent's outputs each of `new` is: all, and copies of some at random (Net2Wider's g); or, of
        more, those with the largest weights.

        The same for equal numbers, so that what is summed is widened alike.
        """
        if new < old:
            return sorted(dense().abs().sum((1, 2, 3)).topk(new).indices.tolist())
        if (old, new) not in self._wider:
            copies = torch.randint(old, (new - old,), generator=self.generator).tolist()
            self._wider[old, new] = [*range(old), *copies]
        return self._wider[old, new]

    def needed(self, names: Names, most: int) -> Names:
        """The different ones among channels, at most so many: those that the parent makes last are still to be read."""
        different = list(dict.fromkeys(names))
        kept = set(sorted(different, key=lambda name: self.made_by.get(name, -1), reverse=True)[:most])
        return tuple(name for name in different if name in kept)

    def slope(self, name: Name) -> float:
        """Of the straight line that is nearest to a channel's ReLU, if it is normal: how often it is positive."""
        mean, variance = self.moments_of(name)
        return math.erfc(-mean / math.sqrt(2 * variance)) / 2 if variance > 0 else float(mean > 0)

    def moments_of(self, name: Name) -> tuple[float, float]:
        """Mean and variance of a channel: a batch-norm's are its shift and its squared scale, a ReLU's those of a
        rectified normal variable; of what nothing is known, 0 and 1."""
        if name[0] in ("pool", "at"):
            return self.moments_of(name[-1])
        if name[0] != "relu":
            return self.moments.get(name, (0.0, 1.0))
        mean, variance = self.moments_of(name[-1])
        deviation = math.sqrt(variance)
        if deviation == 0.0:
            return max(mean, 0.0), 0.0
        at = mean / deviation
        density = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
        above = math.erfc(-at / math.sqrt(2)) / 2
        first = mean * above + deviation * density
        second = (mean * mean + variance) * above + mean * deviation * density
        return first, max(second - first * first, 0.0)


@runtime_checkable
class Passing(Protocol):
    """A step without weights."""

    def names(self, *inputs: Names) -> Names:
        """What its output is called."""
        ...


class Learning(nn.Module):
    """A step with weights. Its outputs are called after itself.

    Attributes:
        width: outputs.
    """

    width: int

    def carry(self, inputs: Sequence[Named], parent: Counterpart | None, transfer: Transfer) -> Named:
        """Takes over the weights of `parent`, or hands on its first input where there is none; what is it called?"""
        raise NotImplementedError

    def linear(self, channels: Sequence[int], inputs: Sequence[Names]) -> tuple[Tensor, Names]:
        """Some of its outputs as a linear function of its inputs, see `standing_in.Linear`."""
        raise NotImplementedError


class Rectify(nn.ReLU):
    """ReLU."""

    def names(self, *inputs: Names) -> Names:
        """Those of what is never negative stay."""
        return tuple(map(rectified, inputs[0]))


class Pool(nn.Module):
    """Pooling, each channel by itself, named by `label`; zeros and positive numbers stay so."""

    def __init__(self, label: str, pool: nn.Module) -> None:
        super().__init__()
        self.label, self.pool = label, pool

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, ...)."""
        pooled: Tensor = self.pool(x)
        return pooled

    def names(self, *inputs: Names) -> Names:
        """Pooled."""
        return tuple(("pool", self.label, name) for name in inputs[0])


class Flatten(nn.Flatten):
    """(batch, channels, height, width) -> (batch, channels x positions)."""

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.positions = positions

    def names(self, *inputs: Names) -> Names:
        """A channel at each position."""
        return tuple(("at", place, name) for name in inputs[0] for place in range(self.positions))


class Join(nn.Module):
    """Concatenation of channels."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Several (batch, channels, height, width) -> (batch, all channels, height, width)."""
        return torch.cat(inputs, 1)

    def names(self, *inputs: Names) -> Names:
        """One after the other."""
        return tuple(name for names in inputs for name in names)


class Part(nn.Module):
    """Some of the channels: from `start` to before `end`."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__()
        self.start, self.end = start, end

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, end - start, height, width)."""
        return x[:, self.start : self.end]

    def names(self, *inputs: Names) -> Names:
        """Those."""
        return inputs[0][self.start : self.end]


class Filters(Learning):
    """What a convolution and a fully connected layer have in common: each output weighs all inputs.

    Attributes:
        side: of the kernel.
        start: the first of its outputs where several steps make the outputs of one layer, so that each takes another
            part of those of a layer that they stand for; else None.
    """

    side: int
    start: int | None = None

    def dense(self) -> Tensor:
        """The weights as those of a plain convolution: (outputs, inputs, side, side)."""
        raise NotImplementedError

    def take(self, parent: Filters | None, dense: Tensor, rows: list[int], paired: Pairs, by: torch.Generator) -> None:
        """Takes over weights for the inputs paired: `dense`, those of a plain convolution; of `parent`, its `rows`."""
        raise NotImplementedError

    def carry(self, inputs: Sequence[Named], parent: Counterpart | None, transfer: Transfer) -> Named:
        """New, it is the identity of all that is different in its input, as far as it is wide enough."""
        (own,) = inputs
        if parent is not None and isinstance(parent.module, Filters):
            source, theirs = parent.module, parent.inputs[0]
            made: Names = tuple((parent.key, channel) for channel in range(source.width))
        else:
            source, theirs = None, transfer.needed(own.names[self.start :], self.width)
            made = theirs
        if source is not None and self.start is not None and self.start + self.width <= source.width:
            rows = list(range(self.start, self.start + self.width))
        else:
            rows = transfer.outputs(len(made), self.width, lambda: self._weights_of(source, len(made)))
        paired = pairs(own.names, theirs)
        exact = own.exact and paired.complete and self.holds(source, paired)
        if transfer.writes:
            dense = self._weights_of(source, len(made))
            if paired.complete or set(own.names) <= set(theirs):
                self.take(source, dense[rows], rows, paired, transfer.generator)
            else:
                dense, theirs = with_stand_ins(dense[rows], theirs, own.names, transfer.steps, transfer.slope)
                self.take(None, dense, rows, pairs(own.names, theirs), transfer.generator)
            self.shift(source, rows)
        return Named(tuple(made[row] for row in rows), exact)

    def _weights_of(self, source: Filters | None, count: int) -> Tensor:
        if source is not None:
            return source.dense()
        like = next(self.parameters())
        return torch.eye(count, dtype=like.dtype, device=like.device)[:, :, None, None]

    def shift(self, source: Filters | None, rows: list[int]) -> None:
        """Takes over what is added to its outputs; most add nothing."""

    def linear(self, channels: Sequence[int], inputs: Sequence[Names]) -> tuple[Tensor, Names]:
        """Its weights."""
        return self.dense()[list(channels)], inputs[0]

    def holds(self, parent: Filters | None, paired: Pairs) -> bool:
        """Whether it can compute what the parent's step computes (None: the identity)."""
        return parent is None or self.side >= parent.side


class Convolution(Filters):
    """A convolution without shift that keeps the image's size."""

    def __init__(self, in_channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.width, self.side = width, kernel
        self.conv = nn.Conv2d(in_channels, width, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs, height, width)."""
        filtered: Tensor = self.conv(x)
        return filtered

    def dense(self) -> Tensor:
        """Its weights."""
        return self.conv.weight.detach()

    def take(self, parent: Filters | None, dense: Tensor, rows: list[int], paired: Pairs, by: torch.Generator) -> None:
        """A smaller kernel in the middle of zeros, the middle of a larger one."""
        self.conv.weight.copy_(spread(_resized(dense, self.side), paired, self.conv.in_channels, by))


class Separable(Filters):
    """A depthwise-separable convolution: a kernel for each input, then a 1x1 convolution."""

    def __init__(self, in_channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.width, self.side = width, kernel
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel, padding=kernel // 2, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs, height, width)."""
        filtered: Tensor = self.pointwise(self.depthwise(x))
        return filtered

    def dense(self) -> Tensor:
        """The one convolution that the two are."""
        return self.pointwise.weight.detach() * self.depthwise.weight.detach().transpose(0, 1)

    def holds(self, parent: Filters | None, paired: Pairs) -> bool:
        """Whether the parent is separable too, or 1x1, and no input has to stand for two of the parent's."""
        alone = len(set(paired.own)) == len(paired.own)
        return super().holds(parent, paired) and alone and (not isinstance(parent, Convolution) or parent.side == 1)

    def take(self, parent: Filters | None, dense: Tensor, rows: list[int], paired: Pairs, by: torch.Generator) -> None:
        """The parent's two factors or, of another convolution, for each input the nearest product of two."""
        if isinstance(parent, Separable):
            kernels, weights = parent.depthwise.weight.detach(), parent.pointwise.weight.detach()[rows]
        else:
            kernels, weights = _factors(dense)
        self.depthwise.weight[paired.own] = _resized(kernels, self.side)[paired.theirs].to(self.depthwise.weight)
        self.pointwise.weight.copy_(spread(weights, paired, self.depthwise.in_channels, by))


class Dense(Filters):
    """A fully connected layer."""

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.width, self.side = width, 1
        self.full = nn.Linear(in_features, width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, features) -> (batch, outputs)."""
        outputs: Tensor = self.full(x)
        return outputs

    def dense(self) -> Tensor:
        """Its weights, as of a 1x1 convolution."""
        return self.full.weight.detach()[:, :, None, None]

    def take(self, parent: Filters | None, dense: Tensor, rows: list[int], paired: Pairs, by: torch.Generator) -> None:
        """The middle of a kernel is all of it."""
        weights = _resized(dense, 1)[:, :, 0, 0]
        self.full.weight.copy_(spread(weights, paired, self.full.in_features, by))

    def shift(self, source: Filters | None, rows: list[int]) -> None:
        """The parent's; none where it is new."""
        if isinstance(source, Dense):
            self.full.bias.copy_(source.full.bias[rows])
        else:
            self.full.bias.zero_()


class Normalize(Learning):
    """Batch-norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), normalized."""
        normalized: Tensor = self.norm(x)
        return normalized

    def linear(self, channels: Sequence[int], inputs: Sequence[Names]) -> tuple[Tensor, Names]:
        """Each channel's scale in evaluation mode."""
        norm, some = self.norm, list(channels)
        scale = norm.weight.detach()[some] / (norm.running_var[some] + norm.eps).sqrt()  # type: ignore[index]
        return torch.diag(scale)[:, :, None, None], tuple(inputs[0][channel] for channel in some)

    def carry(self, inputs: Sequence[Named], parent: Counterpart | None, transfer: Transfer) -> Named:
        """New, it undoes in evaluation mode what it does, and nearly so in training: its running statistics are those
        that its input has, as far as the parent's batch-norms tell."""
        (own,) = inputs
        if parent is None or not isinstance(parent.module, Normalize):
            if transfer.writes:
                moments = torch.tensor([transfer.moments_of(name) for name in own.names], dtype=torch.float64)
                mean, variance = moments.to(self.norm.weight).unbind(1)
                self.norm.running_mean.copy_(mean)  # type: ignore[union-attr]
                self.norm.running_var.copy_(variance)  # type: ignore[union-attr]
                self.norm.weight.copy_((variance + self.norm.eps).sqrt())
                self.norm.bias.copy_(mean)
            return own
        paired = pairs(own.names, parent.inputs[0])
        theirs = dict(zip(paired.own, paired.theirs, strict=True))
        if transfer.writes:
            source = parent.module.norm
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(self.norm, name)[list(theirs)] = getattr(source, name)[list(theirs.values())].to(
                    getattr(self.norm, name)
                )
        found = set(own.names) <= set(parent.inputs[0])
        names = tuple((parent.key, theirs[c]) if c in theirs else own.names[c] for c in range(self.width))
        return Named(names, own.exact and found)


class Blend(Learning):
    """A sum with learnt weights, which begin equal; an input of another width goes through a 1x1 convolution.

    (In NASH the weights are lambda and 1 - lambda, and inputs are of one width.)

    Args:
        widths: of the inputs; the first is the output's.
        project: the places of the inputs that go through a convolution. It begins as the identity.
    """

    def __init__(self, widths: Sequence[int], project: Sequence[int] = ()) -> None:
        super().__init__()
        self.width = widths[0]
        self.weights = nn.Parameter(torch.full((len(widths),), 1.0 / len(widths)))
        self.projections = nn.ModuleDict()
        for place in project:
            convolution = nn.Conv2d(widths[place], self.width, 1, bias=False)
            nn.init.dirac_(convolution.weight)
            self.projections[str(place)] = convolution

    def forward(self, *inputs: Tensor) -> Tensor:
        """Several (batch, channels, height, width) -> one like the first."""
        total = self.weights[0] * inputs[0]
        for place, x in enumerate(inputs[1:], start=1):
            seen = self.projections[str(place)](x) if str(place) in self.projections else x
            total = total + self.weights[place] * seen
        return total

    def carry(self, inputs: Sequence[Named], parent: Counterpart | None, transfer: Transfer) -> Named:
        """New, it hands on its first input, and shares the weight with the others that are equal to it."""
        if parent is None or not isinstance(parent.module, Blend):
            alike = [None if self._is_like_first(inputs, place) else place for place in range(len(inputs))]
            self._weigh(torch.ones_like(self.weights[:1]), pairs(alike, [None]), transfer)
            return inputs[0]
        rows = _rows(inputs[0].names, parent.inputs[0])
        exact = set(inputs[0].names) >= set(parent.inputs[0])
        theirs: list[Any] = [
            ("projected", place) if str(place) in parent.module.projections else [names[row] for row in rows.values()]
            for place, names in enumerate(parent.inputs)
        ]
        own: list[Any] = []
        for place, tensor in enumerate(inputs):
            if str(place) not in self.projections:
                own.append([tensor.names[channel] for channel in rows])
            elif ("projected", place) in theirs:
                paired = pairs(tensor.names, parent.inputs[place])
                exact = exact and paired.complete
                self._project(place, parent.module, rows, paired, transfer)
                own.append(("projected", place))
            else:
                own.append(("new", place))
        own = [tuple(key) for key in own]
        certain = {key for key, tensor in zip(own, inputs, strict=True) if tensor.exact}
        own = [
            ("near", place) if key in certain and not inputs[place].exact else key for place, key in enumerate(own)
        ]  # what is only near takes no part where something equal does
        paired = pairs(own, [*map(tuple, theirs)])
        exact = exact and all(inputs[place].exact for place in paired.own)
        self._weigh(parent.module.weights.detach(), paired, transfer)
        names = tuple(
            (parent.key, rows[channel]) if channel in rows else ("new", parent.key, channel)
            for channel in range(self.width)
        )
        return Named(names, exact and paired.complete)

    def linear(self, channels: Sequence[int], inputs: Sequence[Names]) -> tuple[Tensor, Names]:
        """Its inputs' weights; what is projected is left out."""
        plain = [place for place in range(len(inputs)) if str(place) not in self.projections]
        one = torch.eye(len(channels), dtype=self.weights.dtype, device=self.weights.device)
        kernels = torch.cat([one * self.weights.detach()[place] for place in plain], 1)
        return kernels[:, :, None, None], tuple(inputs[place][channel] for place in plain for channel in channels)

    def _is_like_first(self, inputs: Sequence[Named], place: int) -> bool:
        return str(place) not in self.projections and inputs[place] == inputs[0]

    def _weigh(self, weights: Tensor, paired: Pairs, transfer: Transfer) -> None:
        if transfer.writes:
            self.weights.copy_(spread(weights[None], paired, len(self.weights), transfer.generator)[0])

    def _project(self, place: int, parent: Blend, rows: dict[int, int], paired: Pairs, transfer: Transfer) -> None:
        if transfer.writes:
            weight, source = (cast("nn.Conv2d", own.projections[str(place)]).weight for own in (self, parent))
            taken = spread(source.detach()[list(rows.values())], paired, weight.shape[1], transfer.generator)
            weight[list(rows)] = taken.to(weight)


def _rows(own: Names, theirs: Names) -> dict[int, int]:
    """For our channels the equal ones of the parent's; by place where none is equal."""
    place = {name: index for index, name in reversed(list(enumerate(theirs)))}
    rows = {
        channel: channel if channel < len(theirs) and theirs[channel] == name else place[name]
        for channel, name in enumerate(own)
        if name in place
    }
    return rows or {channel: channel for channel in range(min(len(own), len(theirs)))}


def _resized(kernel: Tensor, side: int) -> Tensor:
    """A kernel of another size around the same middle."""
    margin = (side - kernel.shape[-1]) // 2
    return functional.pad(kernel, [margin] * 4)


def _factors(dense: Tensor) -> tuple[Tensor, Tensor]:
    """For each input the kernel and the weights of the outputs whose product is nearest (the first singular vectors).

    (outputs, inputs, side, side) -> (inputs, 1, side, side), (outputs, inputs, 1, 1).
    """
    left, values, right = torch.linalg.svd(dense.flatten(2).transpose(0, 1), full_matrices=False)
    kernels = right[:, 0]
    largest = kernels.gather(1, kernels.abs().argmax(1, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0).to(dense)
    weights = left[:, :, 0] * values[:, :1] * sign
    side = dense.shape[-1]
    return (kernels * sign).reshape(-1, 1, side, side), weights.T.reshape(dense.shape[0], -1, 1, 1)
