"""Networks that can begin as the function of a smaller one: steps in order, and how they take over weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archwright.core.choices import BadSpace
from archwright.spaces.naming import Key, Name, Named, Names
from archwright.spaces.steps import (
    Convolution,
    Counterpart,
    Filters,
    Join,
    Learning,
    Normalize,
    Passing,
    Rectify,
    Separable,
    Transfer,
)

ALIGNMENTS = 100
"""How many ways to lay the blocks of a section beside the parent's are tried, the likeliest first."""

OPS: dict[str, Callable[[int, int, int], Filters]] = {"conv": Convolution, "separable": Separable}
"""What a layer may be: `OPS[op](in_channels, out_channels, kernel)`."""


class Step(NamedTuple):
    """One step of a network.

    Attributes:
        key: (section, block, part ...): what it is called. The blocks of a section are numbered from 0.
        reads: the tensors it reads: 0 is the image, n + 1 what step n made.
        aside: where it is new it begins at random, since a step after it gives it weight 0; else it hands on.
    """

    key: Key
    reads: tuple[int, ...]
    aside: bool


Mapping = dict[Key, Key]
"""For a step the one of the parent that it stands for."""


class Grown(nn.Module):
    """A network of steps, made by calls of `step` and `layer`. Its sections follow one another; each ends in one tensor
    that the next one reads.
    """

    def __init__(self, image_channels: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList()
        self.plan: list[Step] = []
        self.widths = [image_channels]

    def step(self, key: Key, module: nn.Module, *reads: int, width: int | None = None, aside: bool = False) -> int:
        """Adds a step of `width` output channels (those of its first input, if None); returns its tensor's number."""
        self.steps.append(module)
        self.plan.append(Step(key, reads, aside))
        self.widths.append(self.widths[reads[0]] if width is None else width)
        return len(self.plan)

    def layer(
        self,
        key: Key,
        op: str,
        kernel: int,
        width: int,
        reads: int,
        *,
        aside: bool = False,
        start: int | None = None,
    ) -> int:
        """Adds a convolution (`start`: see `Filters`), batch-norm and ReLU; returns the tensor's number."""
        filters = OPS[op](self.widths[reads], width, kernel)
        filters.start = start
        made = self.step((*key, op), filters, reads, width=width, aside=aside)
        made = self.step((*key, "norm"), Normalize(width), made, aside=aside)
        return self.step((*key, "relu"), Rectify(), made, aside=aside)

    def join(self, key: Key, *reads: int) -> int:
        """Adds a concatenation; returns the tensor's number."""
        return self.step(key, Join(), *reads, width=sum(self.widths[read] for read in reads))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, outputs)."""
        last = {read: place for place, step in enumerate(self.plan) for read in step.reads}
        tensors = {0: x}
        for place, (step, module) in enumerate(zip(self.plan, self.steps, strict=True)):
            tensors[place + 1] = module(*(tensors[read] for read in step.reads))
            for read in set(step.reads):
                if last[read] == place:
                    del tensors[read]
        return tensors[len(self.plan)]

    @torch.no_grad()
    def inherit(self, parent: nn.Module, generator: torch.Generator) -> bool:
        """Takes over all that it can of the weights and batch-norm statistics of a network of the same space.

        True if both now compute the same function in evaluation mode (up to rounding). Any number of changes may lie
        between the two. What has no counterpart begins as the identity where it lies on the way, else at random with
        outgoing weights of 0. What fits only in part (fewer filters, a smaller kernel, a separable convolution in
        place of a convolution, a layer less) begins near the parent: with its largest filters, the middle of its
        kernels, the nearest product of two kernels, and inputs that take the place of those that are gone.
        """
        if not isinstance(parent, Grown):
            return False
        known = parent._known()
        made_by = {name: place for place, names in enumerate(known) for name in names}
        steps: dict[Key, tuple[Learning, Sequence[Names]]] = {
            step.key: (module, [known[read] for read in step.reads])
            for step, module in zip(parent.plan, parent.steps, strict=True)
            if isinstance(module, Learning)
        }
        transfer = Transfer(generator, moments=parent._moments(), made_by=made_by, steps=steps)
        tensors = [Named(known[0])]
        for _, section in groupby(range(len(self.plan)), key=lambda place: self.plan[place].key[0]):
            places = list(section)
            tensors = self._likeliest(places, tensors, parent, known, transfer)
        return tensors[-1] == Named(known[-1])

    def _likeliest(
        self, places: list[int], tensors: list[Named], parent: Grown, known: list[Names], transfer: Transfer
    ) -> list[Named]:
        """Carries a section over by the first alignment that is exact, or else by the one with the fewest misses."""
        section = self.plan[places[0]].key[0]
        end = max((place + 1 for place, step in enumerate(parent.plan) if step.key[0] == section), default=0)
        fewest, best = len(places) + 3, Mapping()
        for mapping in islice(self.alignments(places, parent), ALIGNMENTS):
            made = self._carry(places, tensors, mapping, transfer)
            begun = sum(
                not made[place + 1].exact and all(made[read].exact for read in self.plan[place].reads)
                for place in places
            )
            misses = begun + 2 * (not set(made[-1].names).issuperset(known[end]))  # the next section would begin wrong
            if misses < fewest:
                fewest, best = misses, mapping
            if misses == 0:
                break
        transfer.writes = True
        made = self._carry(places, tensors, best, transfer)
        transfer.writes = False
        return made

    def _carry(self, places: list[int], tensors: list[Named], mapping: Mapping, transfer: Transfer) -> list[Named]:
        tensors = list(tensors)
        for place in places:
            step, module = self.plan[place], self.steps[place]
            inputs = [tensors[read] for read in step.reads]
            if isinstance(module, Passing):
                names = module.names(*(tensor.names for tensor in inputs))
                tensors.append(Named(names, all(tensor.exact for tensor in inputs)))
                continue
            assert isinstance(module, Learning)
            theirs = mapping.get(step.key, ())
            if theirs in transfer.steps:
                other, reads = transfer.steps[theirs]
                tensors.append(module.carry(inputs, Counterpart(other, theirs, reads), transfer))
            elif step.aside:
                tensors.append(Named(tuple(("new", step.key, channel) for channel in range(module.width))))
            else:
                tensors.append(module.carry(inputs, None, transfer))
        return tensors

    def alignments(self, places: Sequence[int], parent: Grown) -> Iterator[Mapping]:
        """The ways to lay a section's steps beside the parent's, the likeliest first.

        Blocks keep their order, and each of the shorter section has a partner: the others were inserted, or removed.
        """
        section = self.plan[places[0]].key[0]
        own, theirs = self._blocks(section), parent._blocks(section)
        if not own or not theirs:
            yield Mapping()
            return
        rows = [[_unlikeness(ours, other) for other in theirs] for ours in own]
        longer = len(own) > len(theirs)
        for taken in _cheapest(list(zip(*rows, strict=True)) if longer else rows, ALIGNMENTS):
            partner = {many: few for few, many in enumerate(taken)} if longer else dict(enumerate(taken))
            yield {
                (section, block, *part): (section, partner[block], *_part_of(theirs[partner[block]], part))
                for block in partner
                for part in own[block]
            }

    def _blocks(self, section: object) -> list[Block]:
        """The steps with weights of each block of a section, by the rest of their keys."""
        blocks: dict[int, Block] = {}
        for step, module in zip(self.plan, self.steps, strict=True):
            if step.key[0] == section and isinstance(module, Learning):
                blocks.setdefault(step.key[1], {})[step.key[2:]] = module
        return [blocks[number] for number in sorted(blocks)]

    def _known(self) -> list[Names]:
        """The names of all tensors, each step's outputs called after itself."""
        tensors: list[Names] = [tuple(("image", channel) for channel in range(self.widths[0]))]
        for step, module in zip(self.plan, self.steps, strict=True):
            if isinstance(module, Passing):
                tensors.append(module.names(*(tensors[read] for read in step.reads)))
            else:
                tensors.append(tuple((step.key, channel) for channel in range(self.widths[len(tensors)])))
        return tensors

    def _moments(self) -> dict[Name, tuple[float, float]]:
        """Mean and variance of what each batch-norm makes."""
        return {
            (step.key, channel): (shift, scale * scale)
            for step, module in zip(self.plan, self.steps, strict=True)
            if isinstance(module, Normalize)
            for channel, (shift, scale) in enumerate(
                zip(module.norm.bias.tolist(), module.norm.weight.tolist(), strict=True)
            )
        }


Block = dict[Key, nn.Module]


def _part_of(block: Block, part: Key) -> Key:
    """The part of the parent's block that a part stands for: a layer's filters for another layer's of any kind."""
    if part in block or not part or part[-1] not in OPS:
        return part
    return next((other for op in OPS if (other := (*part[:-1], op)) in block), part)


def _cheapest(costs: Sequence[Sequence[int]], most: int) -> list[tuple[int, ...]]:
    """The ways to give each row a column behind those of the rows before, by the sum of their costs, `most` at most.

    Of equal sums the one with the earlier columns is first. After each column it is known of each number of rows how
    the columns so far serve them best; what is not among these can't become it by what follows, which is the same for
    all.

    Args:
        costs: (rows, columns), no more rows than columns.
    """
    rows, columns = len(costs), len(costs[0])
    best: list[list[tuple[int, tuple[int, ...]]]] = [[(0, ())], *([] for _ in range(rows))]
    for column in range(columns):
        for row in range(min(column, rows - 1), max(-1, rows - 1 - (columns - column)), -1):  # room is left for others
            longer = [(total + costs[row][column], (*taken, column)) for total, taken in best[row]]
            best[row + 1] = sorted(best[row + 1] + longer)[:most]
    return [taken for _, taken in best[rows]]


def _unlikeness(own: Block, theirs: Block) -> int:
    """How much it takes to make one block of another: least where ours has all of theirs and little more.

    In whole numbers, so that what is alike is exactly so: what is lost counts as much as ten or twenty additions.
    """
    total = len(own.keys() - theirs.keys())
    for part, module in theirs.items():
        ours = own.get(part)
        if ours is None:
            total += 20
        elif isinstance(module, Filters) and isinstance(ours, Filters):
            pairs = ((ours.width, module.width), (ours.side, module.side))
            total += sum(10 if mine < other else 1 for mine, other in pairs if mine != other)
    return total


def check_rising(kernels: Sequence[int], **numbers: Sequence[int]) -> None:
    """Growing means to move along the numbers that a space offers.

    Raises:
        BadSpace: numbers that don't rise, or a kernel without a middle.
    """
    for name, given in (numbers | {"kernels": kernels}).items():
        if not given or list(given) != sorted(set(given)) or given[0] < 1:
            raise BadSpace(f"{name} have to be numbers that rise, such as 1, 3, 5, not {tuple(given)}")
    if any(kernel % 2 == 0 for kernel in kernels):
        raise BadSpace(f"kernels need a middle, so they have to be odd, not {tuple(kernels)}")


def next_larger(offered: Sequence[int], value: int) -> list[int]:
    """The next larger number that is offered, if there is one."""
    return [larger for larger in offered if larger > value][:1]
