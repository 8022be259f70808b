"""What an architecture costs in expectation, so that gradients reach it (Cai et al., 2019, equations 5 to 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.core.signature import Signature
from archwright.objectives.costs import by_shapes, example

if TYPE_CHECKING:
    from archwright.objectives.costs import Cost
    from archwright.supernets.mixed import Mixed
    from archwright.supernets.open_network import OpenNetwork

Call = tuple[torch.Size, ...]
"""The shapes of what an op was called with."""


@dataclass(frozen=True)
class CandidateCosts:
    """What the candidates of open ops cost, summed over the ops that share a choice and are in the same place.

    Attributes:
        choice: its name.
        within: where the ops are candidates of others, or in them: (choice, option) of each, from the outside in.
        costs: of each candidate, in the cost's unit; open ops inside a candidate are counted apart.
    """

    choice: str
    within: tuple[tuple[str, int], ...]
    costs: tuple[float, ...]


def candidate_costs(network: OpenNetwork, cost: Cost) -> list[CandidateCosts]:
    """Measures each candidate by itself, on inputs as the open network gives it.

    What belongs to no candidate (stem, head, normalisation between) is the same for all architectures and left out. The
    cost has to add up over ops, as parameters, FLOPs and, more or less, latency do. Choices that are no ops, such as
    widths and depths, count as they are when all is open. Nothing of `network` is changed: a twin is measured.
    """

    def twin() -> OpenNetwork:
        return type(network)(network.space, network.signature)

    with torch.random.fork_rng([]):
        return _measured(twin(), cost) if cost.needs_device else by_shapes(twin, lambda made: _measured(made, cost))


def _measured(twin: OpenNetwork, cost: Cost) -> list[CandidateCosts]:
    """`candidate_costs` of a network that may be changed."""
    ops: dict[nn.Module, Mixed] = {mixed: mixed for mixed in twin.mixed}
    calls = _calls(twin, example(twin, twin.signature, getattr(cost, "batch_size", 1)))
    found: dict[tuple[tuple[tuple[str, int], ...], str], list[float]] = {}

    def collect(module: nn.Module, within: tuple[tuple[str, int], ...]) -> float:
        """Notes the open ops in `module`; returns what all of their candidates cost together."""
        total = 0.0
        for mixed in dict.fromkeys(_outermost(module, ops)):
            alone = [_Alone(candidate, calls.get(mixed, [])) for candidate in mixed.candidates]
            whole = [cost.measure(candidate, _NUMBER) for candidate in alone]
            name = mixed.choice.name
            sums = found.setdefault((within, name), [0.0] * len(whole))
            for option, candidate in enumerate(mixed.candidates):
                inside = collect(candidate, (*within, (name, option)))
                sums[option] += max(whole[option] - inside, 0.0)
            total += sum(whole)
        return total

    collect(twin.network, ())
    return [CandidateCosts(name, within, tuple(costs)) for (within, name), costs in found.items()]


def expected(costs: Sequence[CandidateCosts], probabilities: Mapping[str, Tensor]) -> Tensor:
    """The sum over open ops of sum_i p_i c_i (equation 6), each times the probability of what it is in.

    Args:
        probabilities: of each choice's candidates, a row by name; one more at the end, for taking no part, costs 0.
    """
    terms = []
    for entry in costs:
        row = probabilities[entry.choice][: len(entry.costs)]
        term = row @ _vector(entry.costs, row.dtype, row.device)
        for name, option in entry.within:
            term = term * probabilities[name][option]
        terms.append(term)
    return torch.stack(terms).sum() if terms else torch.zeros(())


@lru_cache(1024)
def _vector(costs: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Made once: a copy at each step would make a GPU wait."""
    return torch.tensor(costs, dtype=dtype, device=device)


def _calls(network: OpenNetwork, inputs: Tensor) -> dict[nn.Module, list[Call]]:
    """What each open op is called with when all is open; one that is used several times has several calls."""
    calls: dict[nn.Module, list[Call]] = {}

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        calls.setdefault(module, []).append(tuple(tensor.shape for tensor in given))

    handles = [mixed.register_forward_pre_hook(note) for mixed in network.mixed]
    network.eval()
    with torch.no_grad():
        network(inputs)
    for handle in handles:
        handle.remove()
    return calls


def _outermost(module: nn.Module, ops: Mapping[nn.Module, Mixed]) -> Iterator[Mixed]:
    """The open ops in a module that are in no other open op."""
    if module in ops:
        yield ops[module]
        return
    for child in module.children():
        yield from _outermost(child, ops)


class _Alone(nn.Module):
    """A candidate as a network of its own, which makes the calls that were noted on zeros."""

    def __init__(self, candidate: nn.Module, calls: Sequence[Call]) -> None:
        super().__init__()
        self.candidate, self.calls = candidate, calls
        where = next(candidate.parameters(), torch.empty(0)).device
        # Of no size, and no parameter that counts: it says where a candidate without parameters is to run.
        self.place = nn.Parameter(torch.empty(0, device=where), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Any tensor of floating numbers, which only says where to compute; returns it."""
        for shapes in self.calls:
            self.candidate(*(x.new_zeros(shape) for shape in shapes))
        return x


_NUMBER = Signature((1,), 1)
