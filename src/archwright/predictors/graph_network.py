"""A network on graphs: each vertex listens to its neighbours (Xu, Hu, Leskovec and Jegelka, 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from archwright.core.architecture import Architecture
from archwright.predictors.threads import one_thread
from archwright.spaces.encodings import labelled_graph
from archwright.spaces.graphs import Graph
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class GraphNetwork:
    """Several message-passing networks that read what an architecture computes, `spaces.encodings.labelled_graph`.

    A vertex begins as a vector of its label. In each round it adds a function of itself, of the sum of those before
    it and of the sum of those after it (a sum, so that two equal inputs are not taken for one, as in the paper; two
    directions, as the graphs are directed). The sum of all vertices, through two layers, is the prediction.

    The networks differ in their first weights and are trained side by side as one batched product, each step on all
    graphs, on the mean absolute error of standardised targets; what they disagree about is the spread. Runs on the CPU,
    in float32.

    Attributes:
        members: networks.
        rounds: of messages; a vertex knows of what is so many edges away.
        width: of the vectors.
        epochs: steps of AdamW, its rate falling to zero by a cosine.
        rate, decay: its learning rate and weight decay.
    """

    members: int = 5
    rounds: int = 3
    width: int = 32
    epochs: int = 100
    rate: float = 0.01
    decay: float = 0.01

    @one_thread()
    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> GraphNetworks:
        """Trains the networks."""
        graphs = [labelled_graph(space, architecture) for architecture in architectures]
        labels = sorted({label for graph in graphs for label in graph.labels})
        numbers = {label: number for number, label in enumerate(labels, start=1)}  # 0 is a label never seen
        batch = _batch(graphs, numbers)
        mean, spread = float(np.mean(targets)), float(np.std(targets)) or 1.0
        answers = torch.as_tensor((np.asarray(targets) - mean) / spread, dtype=torch.float32)
        parameters = [tensor.requires_grad_() for tensor in self._start(len(numbers) + 1, seed)]
        size = len(batch.labels) / len(graphs)
        adam = torch.optim.AdamW(parameters, lr=self.rate, weight_decay=self.decay, fused=True)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)
        for _ in range(self.epochs):
            error = _forward(parameters, batch, size) - answers
            adam.zero_grad()
            error.abs().mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
            adam.step()
            falling.step()
        kept = tuple(tensor.detach() for tensor in parameters)
        return GraphNetworks(space, numbers, kept, size, mean, spread)

    def _start(self, labels: int, seed: int) -> list[Tensor]:
        """First weights: of the labels, of each round (itself, before, after, bias), of the two last layers."""
        generator = torch.Generator().manual_seed(seed % 2**63)

        def drawn(enter: int, leave: int) -> Tensor:
            return torch.randn(self.members, enter, leave, generator=generator) / math.sqrt(enter)

        width = self.width
        tensors = [torch.randn(self.members, labels, width, generator=generator)]
        for _ in range(self.rounds):
            tensors += [drawn(3 * width, width), torch.zeros(self.members, 1, width)]
        tensors += [drawn(width, width), torch.zeros(self.members, 1, width)]
        return [*tensors, drawn(width, 1), torch.zeros(self.members, 1, 1)]


@dataclass(frozen=True)
class GraphNetworks:
    """Networks that have learnt.

    Attributes:
        numbers: of the labels that they know.
        parameters: see `GraphNetwork._start`.
        size: mean number of vertices of the graphs they learnt from.
        mean, spread: of the targets.
    """

    space: Space
    numbers: dict[str, int]
    parameters: tuple[Tensor, ...]
    size: float
    mean: float
    spread: float

    @one_thread()
    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation of the networks: (m,), (m,)."""
        if not architectures:
            return np.zeros(0), np.zeros(0)
        batch = _batch([labelled_graph(self.space, architecture) for architecture in architectures], self.numbers)
        with torch.no_grad():
            each = self.mean + self.spread * np.asarray(_forward(self.parameters, batch, self.size).double().numpy())
        spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(architectures))
        return each.mean(axis=0), spread


@dataclass(frozen=True)
class _Batch:
    """Graphs side by side as one.

    Attributes:
        labels: of the vertices, (v,).
        sources, targets: of the edges, (e,).
        owners: the graph of each vertex, (v,).
        graphs: how many.
    """

    labels: Tensor
    sources: Tensor
    targets: Tensor
    owners: Tensor
    graphs: int


def _batch(graphs: Sequence[Graph], numbers: dict[str, int]) -> _Batch:
    labels, sources, targets, owners = list[int](), list[int](), list[int](), list[int]()
    for owner, graph in enumerate(graphs):
        start = len(labels)
        sources += [start + a for a, _, _ in graph.edges]
        targets += [start + b for _, b, _ in graph.edges]
        labels += [numbers.get(label, 0) for label in graph.labels]
        owners += [owner] * len(graph.labels)
    return _Batch(_integers(labels), _integers(sources), _integers(targets), _integers(owners), len(graphs))


def _integers(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)  # also of none


def _forward(parameters: Sequence[Tensor], batch: _Batch, size: float) -> Tensor:
    """(members, graphs)."""
    hidden = parameters[0].index_select(1, batch.labels)
    for weight, bias in zip(parameters[1:-4:2], parameters[2:-4:2], strict=True):
        before = torch.zeros_like(hidden).index_add(1, batch.targets, hidden.index_select(1, batch.sources))
        after = torch.zeros_like(hidden).index_add(1, batch.sources, hidden.index_select(1, batch.targets))
        heard = torch.relu(torch.baddbmm(bias, torch.cat([hidden, before, after], dim=2), weight))
        hidden = functional.layer_norm(hidden + heard, hidden.shape[-1:])
    whole = hidden.new_zeros(len(hidden), batch.graphs, hidden.shape[2]).index_add(1, batch.owners, hidden) / size
    last = torch.relu(torch.baddbmm(parameters[-3], whole, parameters[-4]))
    return torch.baddbmm(parameters[-1], last, parameters[-2]).squeeze(2)
