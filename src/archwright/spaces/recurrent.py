"""Recurrent cells for language modelling (SURVEY S22): those of DARTS (Liu et al., 2019b) and ENAS (Pham et al., 2018).

A cell is a row of states. The first comes from the token's embedding and from the cell's last output; each further one
reads one earlier state s under an activation f, as a highway: s + c * (f(h) - s), with (c, h) = (sigmoid(s C), s H).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.choices import Choice, Subset
from archwright.core.errors import ArchwrightError
from archwright.core.parts import part
from archwright.core.signature import Signature
from archwright.spaces.graphs import Graph
from archwright.spaces.opening import every, taken
from archwright.spaces.space import Space
from archwright.spaces.wiring import absent, weighted_sum

if TYPE_CHECKING:
    from archwright.spaces.opening import Weight

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda x: x,
}


def reads(node: Any) -> dict[tuple[int, str], Weight]:
    """Which states a node reads now, under which activations, with the weight of each such pair.

    A node is {"source": a state's number, "activation": a name}, either of which may be open; or one of several such.
    """
    return {
        (source, activation): of_item * of_source * of_activation
        for item, of_item in taken(node)
        for source, of_source in taken(item["source"])
        for activation, of_activation in taken(item["activation"])
    }


class Node(nn.Module):
    """A node's weights: a matrix (hidden, 2 * hidden), C beside H, for each state that it may read or one for all.

    Args:
        node: see `reads`.
        one_each: a matrix for each state.
    """

    def __init__(self, node: Any, hidden: int, one_each: bool) -> None:
        super().__init__()
        self.node, self.one_each = node, one_each
        sources = [source for item in every(node) for source in every(item["source"])]
        self.weights = nn.ParameterDict()
        for name in map(str, sources) if one_each else ("all",):
            self.weights[name] = nn.Parameter(torch.empty(hidden, 2 * hidden).uniform_(-(hidden**-0.5), hidden**-0.5))

    def matrix(self, sources: Sequence[int]) -> Tensor:
        """What multiplies these states: (hidden, 2 * hidden), or (sources, hidden, 2 * hidden)."""
        found = [self.weights[str(source) if self.one_each else "all"] for source in sources]
        return torch.stack(found) if self.one_each and len(found) > 1 else found[0]


class Reading:
    """A node with its choices as they are set now, made ready once for all the steps of a text."""

    def __init__(self, node: Node) -> None:
        weights = reads(node.node)
        self.count = len(weights)
        self.sources = sorted({source for source, _ in weights})
        self.names = [name for name in ACTIVATIONS if any(name == other for _, other in weights)]
        self.matrix = node.matrix(self.sources) if weights else None
        self.decided = self.count == 1 and all(isinstance(w, float) and w == 1.0 for w in weights.values())
        if weights and not self.decided:
            like = next(node.parameters())
            table = [[weights.get((source, name), 0.0) for name in self.names] for source in self.sources]
            self.table = _stacked([weight for row in table for weight in row], like).view(len(table), -1, 1, 1)
            self.shares = self.table.sum(1)
            self.taken = [[(source, name) in weights for name in self.names] for source in self.sources]

    def __call__(self, states: Sequence[Tensor], mask: Tensor | None, added: Tensor | None = None) -> Tensor:
        """The node's state, (batch, hidden); of a mixture the weighted sum of what each candidate would make of it.

        With weights p the sum over sources and activations of p (s + c (f(h) - s)) is that over sources of
        (1 - c) P s + c (sum of p f(h)), where P is the sum of p: all activations of a source have one h and one gate.
        A mixture is then normalised, since such sums grow from node to node. DARTS has batch-norm for that, in its
        search only; layer-norm depends on no other example, and is the same in training and in scoring.

        Args:
            mask: (batch, hidden), of variational dropout.
            added: (batch, 2 * hidden), to the products with the matrix.
        """
        if self.matrix is None:
            return torch.zeros_like(states[0])
        chosen = [states[source] for source in self.sources]
        state = chosen[0] if self.decided else torch.stack(chosen)
        product = (state if mask is None else state * mask) @ self.matrix
        if added is not None:
            product = product + added
        gate, made = product.to(state.dtype).chunk(2, dim=-1)
        if self.decided:
            return torch.lerp(state, ACTIVATIONS[self.names[0]](made), gate.sigmoid())
        total = torch.lerp(self.shares * state, self._mixed(made), gate.sigmoid()).sum(0)
        return functional.layer_norm(total, total.shape[-1:]) if self.count > 1 else total

    def _mixed(self, made: Tensor) -> Tensor:
        """The weighted sum of the activations of each source's h, (sources, batch, hidden)."""
        if all(map(all, self.taken)):
            return weighted_sum((ACTIVATIONS[name](made), self.table[:, at]) for at, name in enumerate(self.names))
        return torch.stack(  # where few activations take part, as in a sample, nothing is computed for the others
            [
                weighted_sum((ACTIVATIONS[name](h), row[at]) for at, name in enumerate(self.names) if taken_part[at])
                for h, row, taken_part in zip(made, self.table, self.taken, strict=True)
            ]
        )


class RecurrentNetwork(nn.Module, ABC):
    """Embedding, one cell along the text, and an output layer whose weights are the embedding's.

    Dropout is variational (Gal and Ghahramani, 2016): one mask for all the steps of a text.
    """

    one_each: ClassVar[bool]
    """Whether a node has a matrix for each state that it may read."""

    def __init__(
        self,
        signature: Signature,
        first: Any,
        nodes: Sequence[Any],
        hidden: int,
        embedding: int,
        dropout: float,
        hidden_dropout: float,
    ) -> None:
        super().__init__()
        if not signature.vocabulary:
            raise ArchwrightError(
                f"this space builds networks for texts, but the task's examples, of shape {signature.input_shape}, are "
                "no tokens; give a task such as tasks.text_file(...), or another space"
            )
        hidden, embedding = signature.channels(hidden), signature.channels(embedding)
        self.hidden, self.dropout, self.hidden_dropout = hidden, dropout, hidden_dropout
        self.embedding = nn.Embedding(signature.vocabulary, embedding)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.input = nn.Linear(embedding, 2 * hidden, bias=False)
        self.first = Node({"source": 0, "activation": first}, hidden, one_each=False)
        self.nodes = nn.ModuleList(Node(node, hidden, self.one_each) for node in nodes)
        self.project = nn.Linear(hidden, embedding) if hidden != embedding else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(signature.outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, length) int64 -> (batch, vocabulary, length): logits of the token after each."""
        embedded = self._dropped(self.embedding(tokens), self.dropout)
        inputs = self.input(embedded).unbind(1)  # the input's share of each step, all steps at once
        output = embedded.new_zeros(embedded.shape[0], self.hidden)
        mask = self._mask(output, self.hidden_dropout)
        first, *others = (Reading(node) for node in (self.first, *self.nodes))
        average = _average(self.averaged([reads(node.node) for node in self.nodes]), output)
        outputs = []
        for added in inputs:
            states = [first([output], mask, added)]
            for reading in others:
                states.append(reading(states, mask))
            output = average(states)
            outputs.append(output)
        made = self.project(self._dropped(torch.stack(outputs, dim=1), self.dropout))
        return functional.linear(made, self.embedding.weight, self.bias).transpose(1, 2)

    @staticmethod
    @abstractmethod
    def averaged(read: Sequence[Mapping[tuple[int, str], Weight]]) -> dict[int, Weight]:
        """The states whose mean the cell puts out, with their weights, from what each node reads."""

    @classmethod
    def graph(cls, first: str, nodes: Sequence[Any], **_: Any) -> Graph:
        """A vertex a state, labelled with its activation."""
        read = [next(iter(reads(node))) for node in nodes]
        out = len(nodes) + 2
        edges = [(0, 1, ""), *((source + 1, number, "") for number, (source, _) in enumerate(read, start=2))]
        edges += [(state + 1, out, "") for state in cls.averaged([reads(node) for node in nodes])]
        return Graph(("input", first, *(activation for _, activation in read), "mean"), tuple(edges))

    def _dropped(self, batch: Tensor, rate: float) -> Tensor:
        """(batch, length, features) under one mask for the whole length."""
        mask = self._mask(batch[:, :1], rate)
        return batch if mask is None else batch * mask

    def _mask(self, like: Tensor, rate: float) -> Tensor | None:
        return functional.dropout(torch.ones_like(like), rate) if self.training and rate else None


class DartsRNN(RecurrentNetwork):
    """A matrix a node; the mean of all nodes, the first state excepted (Liu et al., 2019b, section 3.2)."""

    one_each: ClassVar[bool] = False

    @staticmethod
    def averaged(read: Sequence[Mapping[tuple[int, str], Weight]]) -> dict[int, Weight]:
        """All nodes alike."""
        return dict.fromkeys(range(1, len(read) + 1), 1.0)


class EnasRNN(RecurrentNetwork):
    """A matrix a node and state before it; the mean of what no node reads (Pham et al., 2018, section 2.1)."""

    one_each: ClassVar[bool] = True

    @staticmethod
    def averaged(read: Sequence[Mapping[tuple[int, str], Weight]]) -> dict[int, Weight]:
        """Of a mixture each state by the share of architectures in which no node reads it."""
        unread: dict[int, Weight] = dict.fromkeys(range(len(read) + 1), 1.0)
        for weights in read:
            for source in {source for source, _ in weights}:
                unread[source] = unread[source] * (1.0 - sum(w for (s, _), w in weights.items() if s == source))
        return {state: weight for state, weight in unread.items() if not absent(weight)}


def _average(weights: Mapping[int, Weight], like: Tensor) -> Callable[[Sequence[Tensor]], Tensor]:
    """The weighted mean of the states that are named."""
    if all(isinstance(weight, float) and weight == 1.0 for weight in weights.values()):
        return lambda states: torch.stack([states[state] for state in weights]).mean(0)
    given = _stacked(list(weights.values()), like).view(-1, 1, 1)
    shares = given / given.sum()
    return lambda states: (shares * torch.stack([states[state] for state in weights])).sum(0)


def _stacked(weights: Sequence[Weight], like: Tensor) -> Tensor:
    if all(isinstance(weight, float) for weight in weights):
        return torch.tensor(weights, dtype=like.dtype, device=like.device)
    return torch.stack(
        [torch.as_tensor(weight, dtype=like.dtype, device=like.device).reshape(()) for weight in weights]
    )


@part
def darts_rnn(
    nodes: int = 8,
    hidden: int = 64,
    embedding: int = 64,
    dropout: float = 0.0,
    hidden_dropout: float = 0.0,
) -> Space:
    """DARTS' recurrent cell: each of 8 nodes reads one earlier state under tanh, relu, sigmoid or identity.

    Relaxed, each pair of a node and an earlier state has a choice of activation and, as its last candidate, none; an
    architecture keeps the strongest pair of each node.

    Args:
        hidden, embedding: units; 300 in the paper's search, 850 in its final training. Where they differ, a linear
            layer stands between cell and output layer.
        dropout: of the cell's inputs and outputs; 0.75 in the paper.
        hidden_dropout: of the states that nodes read; 0.25 in the paper.
    """
    declared = [
        Subset(1, *({"source": source, "activation": Choice(*ACTIVATIONS)} for source in range(number)))
        for number in range(1, nodes + 1)
    ]
    return Space(
        DartsRNN,
        first="tanh",
        nodes=declared,
        hidden=hidden,
        embedding=embedding,
        dropout=dropout,
        hidden_dropout=hidden_dropout,
    )


@part
def enas_rnn(
    nodes: int = 12,
    hidden: int = 64,
    embedding: int = 64,
    dropout: float = 0.0,
    hidden_dropout: float = 0.0,
) -> Space:
    """ENAS' recurrent cell: 12 nodes, each with an activation and, but for the first, an earlier node that it reads.

    The first node reads the input and the cell's last output. The other arguments are those of `darts_rnn`.
    """
    declared = [{"source": Choice(*range(number)), "activation": Choice(*ACTIVATIONS)} for number in range(1, nodes)]
    return Space(
        EnasRNN,
        first=Choice(*ACTIVATIONS),
        nodes=declared,
        hidden=hidden,
        embedding=embedding,
        dropout=dropout,
        hidden_dropout=hidden_dropout,
    )
