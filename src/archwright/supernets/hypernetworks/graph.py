"""Graph hypernetworks (Zhang, Ren and Urtasun, 2019): weights from a graph neural network over the computation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archwright.objectives.costs import example
from archwright.supernets.hypernetworks.decoder import Decoder, he
from archwright.supernets.hypernetworks.network_graph import FEATURES, NetworkGraph, network_graph
from archwright.supernets.hypernetworks.writer import REMEMBERED, Writer

if TYPE_CHECKING:
    from archwright.core.architecture import Architecture
    from archwright.core.signature import Signature
    from archwright.spaces.space import Space

_PLACES = 16


@dataclass(frozen=True)
class GraphHypernetwork:
    """A graph neural network over what the architecture's network computes; each vertex's state makes its weights.

    The paper's graph has a vertex for each operation of one cell, and the cell's weights serve all its copies. Here it
    is that of the whole network, recorded from a forward pass (as in GHN-2: Knyazev et al., 2021), so that any space
    has one, and copies of a cell have weights of their own. Batch-norms' scales and shifts are written too.

    Attributes:
        hidden: numbers in a vertex's state; 32 in the paper.
        rounds: of propagation, each forward and then backward through the graph; 5 in the paper.
        channels, kernel: of the tile that weights are cut from, see `Decoder`.
    """

    hidden: int = 32
    rounds: int = 5
    channels: int = 64
    kernel: int = 7

    def over(self, space: Space, signature: Signature) -> GraphWriter:
        """The hypernetwork for a space."""
        return GraphWriter(space, signature, self)


class GraphWriter(Writer):
    """States of vertices, and from them the vectors of what the vertices read."""

    def __init__(self, space: Space, signature: Signature, given: GraphHypernetwork) -> None:
        super().__init__(space, signature, Decoder(given.hidden, given.channels, given.kernel, he))
        self.states = Propagation(given.hidden, given.rounds)
        self.places = nn.Embedding(_PLACES, given.hidden)  # tells apart what one vertex reads
        self.perceptron = _perceptron(given.hidden)
        self._graphs = lru_cache(REMEMBERED)(self._graph)

    def vectors(self, architecture: Architecture, network: nn.Module, names: Sequence[str]) -> Tensor:
        """(names, hidden). Of a parameter that several vertices read it is the mean."""
        graph = self._graphs(architecture)
        states = self.states(graph)
        readers = [(index, *reader) for index, name in enumerate(names) for reader in graph.readers[name]]
        owners, vertices, places = torch.tensor(readers, device=states.device).unbind(1)
        each = self.perceptron(states[vertices] + self.places(places % _PLACES))
        count = torch.bincount(owners, minlength=len(names))
        total: Tensor = each.new_zeros(len(names), each.shape[1]).index_add(0, owners, each)
        return total / count[:, None]

    def _graph(self, architecture: Architecture) -> NetworkGraph:
        network = self._built(architecture)
        return network_graph(network, example(network, self.signature, 2))


class Propagation(nn.Module):
    """The forward-backward scheme of the paper (section 4.2): vertices are updated one after the other in the order of
    the computation, then against it, by a gated recurrent unit of the sum of their neighbours' messages.

    Vertices of the same depth don't hear of one another, so they are updated together.
    """

    def __init__(self, hidden: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.enter = nn.Linear(FEATURES, hidden)
        self.messages = nn.ModuleList(_perceptron(hidden) for _ in range(2))
        self.updates = nn.ModuleList(nn.GRUCell(hidden, hidden) for _ in range(2))

    def forward(self, graph: NetworkGraph) -> Tensor:
        """(vertices, hidden)."""
        device = self.enter.weight.device
        states = torch.tanh(self.enter(graph.features.to(device)))
        backward = [(b, a) for a, b in graph.edges]
        orders = [_levels(len(states), edges, device) for edges in (graph.edges, backward)]
        for _ in range(self.rounds):
            for message, update, levels in zip(self.messages, self.updates, orders, strict=True):
                for vertices, sources, targets in levels:
                    heard = states.new_zeros(len(vertices), states.shape[1])
                    heard = heard.index_add(0, targets, message(states[sources]))
                    states = states.index_copy(0, vertices, update(heard, states[vertices]))
        return states


def _perceptron(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden))


def _levels(count: int, edges: Iterable[tuple[int, int]], device: torch.device) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The vertices by depth (the longest path to them), and for each level the edges that enter it: where they come
    from, and to which of the level's vertices they lead."""
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    depth, waiting = [0] * count, [len(sources) for sources in before]
    queue = [vertex for vertex in range(count) if not waiting[vertex]]
    for vertex in queue:  # it grows while it is read
        for target in after[vertex]:
            depth[target] = max(depth[target], depth[vertex] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                queue.append(target)
    levels = []
    for level in range(max(depth, default=-1) + 1):
        vertices = [vertex for vertex in range(count) if depth[vertex] == level]
        entering = [(source, place) for place, vertex in enumerate(vertices) for source in before[vertex]]
        ends = torch.tensor(entering, dtype=torch.int64, device=device).reshape(-1, 2)
        levels.append((torch.tensor(vertices, device=device), ends[:, 0], ends[:, 1]))
    return levels
