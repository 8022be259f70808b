"""What a network computes, as a graph of the calls that one forward pass makes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from archwright.objectives.costs import in_evaluation

# fmt: off
KINDS = (
    "input", "conv", "conv_transpose", "linear", "matmul", "einsum", "embedding", "lstm", "gru", "rnn_tanh",
    "scaled_dot_product_attention", "multi_head_attention_forward", "batch_norm", "layer_norm", "group_norm",
    "instance_norm", "relu", "relu6", "leaky_relu", "elu", "prelu", "gelu", "silu", "hardswish", "hardtanh",
    "sigmoid", "hardsigmoid", "tanh", "softmax", "log_softmax", "dropout", "max_pool", "avg_pool",
    "adaptive_avg_pool", "adaptive_max_pool", "mean", "sum", "max", "add", "sub", "mul", "div", "pow", "sqrt",
    "cat", "stack", "chunk", "split", "getitem", "flatten", "view", "reshape", "permute", "transpose", "pad",
    "interpolate", "zeros_like", "expand", "unflatten", "squeeze", "unsqueeze", "narrow", "unbind", "lerp", "roll",
    "where", "exp", "log", "normalize", "to",
)
# fmt: on
"""Names of torch's functions, without their dimensions; what is none of them is of one further kind."""

_COLUMNS = {kind: column for column, kind in enumerate(KINDS)}
_SETTINGS = 8
FEATURES = len(KINDS) + 1 + _SETTINGS + 4 + 2
"""A vertex's row: how many calls of each kind; the first whole numbers among the arguments (kernel, stride, ...); the
sides of what it multiplies by; channels and positions of what it gives. Sizes are log2(1 + size)."""


@dataclass(frozen=True)
class NetworkGraph:
    """A directed acyclic graph of calls.

    Attributes:
        features: (vertices, FEATURES).
        edges: (from, to), each once.
        readers: for each parameter the vertices that read it, each with the parameter's place among what it reads.
    """

    features: Tensor
    edges: tuple[tuple[int, int], ...]
    readers: Mapping[str, tuple[tuple[int, int], ...]]


def network_graph(network: nn.Module, example: Tensor) -> NetworkGraph:
    """The graph of a network's forward pass, recorded while it runs on `example` in evaluation mode.

    Calls in a row that nothing enters or leaves are one vertex, as far as one of them has weights of two or more
    dimensions or pools: a ReLU, a convolution and a batch-norm, say. Calls that the output does not depend on are left
    out. A parameter that is not read is read by a vertex of its own, without edges.
    """
    recorder = _Recorder(network, example)
    with in_evaluation(network), torch.no_grad(), recorder:
        made = network(example)
    return recorder.graph(made)


class _Recorder(TorchFunctionMode):
    """Notes every torch function that is called, and which calls' results it is given."""

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        super().__init__()
        self.names = {id(parameter): name for name, parameter in network.named_parameters()}
        self.parameters = dict(network.named_parameters())
        self.vertex = {id(example): 0}  # which call a tensor is the result of
        self.alive = [example]  # so that no two tensors get one identity
        self.rows = [_row("input", [], [], example)]
        self.before: list[list[int]] = [[]]
        self.reads: list[list[str]] = [[]]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        results = [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
        if results:
            given = tree_leaves((args, kwargs or {}))
            tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
            numbers = [leaf for leaf in given if isinstance(leaf, int) and not isinstance(leaf, bool)]
            reads = list(dict.fromkeys(self.names[id(leaf)] for leaf in tensors if id(leaf) in self.names))
            weights = [self.parameters[name] for name in reads]
            self.rows.append(_row(_kind(func), numbers, weights, results[0]))
            self.before.append(sorted({self.vertex[id(leaf)] for leaf in tensors if id(leaf) in self.vertex}))
            self.reads.append(reads)
            for result in results:
                self.vertex[id(result)] = len(self.rows) - 1
            self.alive += results
        return made

    def graph(self, made: Any) -> NetworkGraph:
        """What was recorded, for the outputs that were made."""
        outputs = {self.vertex[id(leaf)] for leaf in tree_leaves(made) if id(leaf) in self.vertex}
        live = _reaching(outputs, self.before)
        after: dict[int, int] = dict.fromkeys(live, 0)
        for vertex in live:
            for source in self.before[vertex]:
                after[source] += 1
        group: dict[int, int] = {}
        rows: list[Tensor] = []
        full: list[bool] = []  # whether a group has a call of its own weight already
        readers: dict[str, list[tuple[int, int]]] = {name: [] for name in self.parameters}
        places: list[int] = []
        for vertex in live:
            major = self._is_major(vertex)
            before = self.before[vertex]
            in_a_row = len(before) == 1 and before != [0] and after[before[0]] == 1
            if in_a_row and not (major and full[group[before[0]]]):
                here = group[vertex] = group[before[0]]
                rows[here] = rows[here] + self.rows[vertex]
                full[here] |= major
            else:
                here = group[vertex] = len(rows)
                rows.append(self.rows[vertex])
                full.append(major)
                places.append(0)
            for name in self.reads[vertex]:
                readers[name].append((here, places[here]))
                places[here] += 1
        edges = {(group[source], group[vertex]) for vertex in live for source in self.before[vertex]}
        for name, found in readers.items():
            if not found:
                found.append((len(rows), 0))
                rows.append(_row("", [], [self.parameters[name]], self.parameters[name]))
        return NetworkGraph(
            torch.stack(rows),
            tuple(sorted((a, b) for a, b in edges if a != b)),
            {name: tuple(found) for name, found in readers.items()},
        )

    def _is_major(self, vertex: int) -> bool:
        pools = any(self.rows[vertex][column] for kind, column in _COLUMNS.items() if "pool" in kind)
        return pools or any(self.parameters[name].dim() > 1 for name in self.reads[vertex])


def _reaching(outputs: set[int], before: list[list[int]]) -> list[int]:
    """The vertices from which a path leads to an output, and the input; in their order."""
    found, queue = {0} | outputs, list(outputs)
    while queue:
        for source in before[queue.pop()]:
            if source not in found:
                found.add(source)
                queue.append(source)
    return sorted(found)


def _kind(func: Any) -> str:
    """conv2d -> conv, max_pool2d -> max_pool, __iadd__ -> add."""
    name = re.sub(r"_?[123]d(_with_indices)?$", "", getattr(func, "__name__", "").strip("_").lower())
    return re.sub(r"^[ir](?=(add|sub|mul|truediv)$)", "", name).replace("truediv", "div")


def _row(kind: str, numbers: list[int], weights: list[nn.Parameter], made: Tensor) -> Tensor:
    row = torch.zeros(FEATURES)
    row[_COLUMNS.get(kind, len(KINDS))] = 1.0
    sides = next((list(weight.shape) for weight in weights if weight.dim() > 1), [])
    shape = list(made.shape[1:]) or [1]
    sizes = [
        *_padded([abs(number) for number in numbers], _SETTINGS),
        *_padded(sides, 4),
        shape[0],
        math.prod(shape[1:]),
    ]
    row[len(KINDS) + 1 :] = torch.log2(1.0 + torch.tensor(sizes, dtype=torch.float32))
    return row


def _padded(sizes: list[int], length: int) -> list[int]:
    return (sizes + [0] * length)[:length]
