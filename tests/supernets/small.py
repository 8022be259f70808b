"""Open networks small and smooth enough to be checked by hand, in float64."""

from collections import Counter
from functools import partial
from itertools import permutations

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import archwright as aw
from archwright.spaces.opening import every, taken
from archwright.supernets import OpenNetwork, Step

SIGNATURE = aw.Signature((3,), 2)


class Wave(nn.Module):
    def forward(self, x):
        return torch.sin(x)


def hand_on(width):
    return nn.Identity()


def layer(width, out=None):
    return nn.Sequential(nn.Linear(width, out or width), nn.Tanh())


def wave(width):
    return nn.Sequential(nn.Linear(width, width), Wave())


class Chain(nn.Module):
    """A linear layer, ops in a row, a linear layer."""

    def __init__(self, signature, ops, norm=False, width=4):
        super().__init__()
        self.stem = nn.Linear(signature.input_shape[0], width)
        self.norm = nn.BatchNorm1d(width) if norm else nn.Identity()
        self.ops = nn.ModuleList(op(width) for op in ops)
        self.head = nn.Linear(width, signature.outputs)

    def forward(self, x):
        x = self.norm(self.stem(x))
        for op in self.ops:
            x = op(x)
        return self.head(x)


class Node(nn.Module):
    """A node that reads two of four states, each through an op."""

    def __init__(self, signature, node, width=4):
        super().__init__()
        self.stems = nn.ModuleList(nn.Linear(signature.input_shape[0], width) for _ in range(4))
        self.node = node
        self.edges = nn.ModuleDict({str(item["source"]): item["op"](width) for item in every(node)})
        self.head = nn.Linear(width, signature.outputs)

    def forward(self, x):
        total = torch.zeros(len(x), self.head.in_features, dtype=x.dtype)
        for item, weight in taken(self.node):
            if taken(item["op"]):
                total = total + weight * self.edges[str(item["source"])](self.stems[item["source"]](x))
        return self.head(total)


class Total(nn.Module):
    """The sum of some of four states, none of which holds a choice."""

    def __init__(self, signature, reads, width=4):
        super().__init__()
        self.stems = nn.ModuleList(layer(signature.input_shape[0], width) for _ in range(4))
        self.reads = reads
        self.head = nn.Linear(width, signature.outputs)

    def forward(self, x):
        return self.head(sum(weight * self.stems[source](x) for source, weight in taken(self.reads)))


def chain(length=2, norm=False, options=(hand_on, layer, wave)):
    return aw.Space(Chain, ops=[aw.Choice(*options) for _ in range(length)], norm=norm)


def node():
    items = ({"source": source, "op": aw.Choice(hand_on, layer, wave)} for source in range(4))
    return aw.Space(Node, node=aw.Subset(2, *items))


def total(size=2):
    return aw.Space(Total, reads=aw.Subset(size, *range(4)))


def chances(p, size):
    """How likely each set of so many is, drawn one after the other by their probabilities p without replacement."""
    found = Counter()
    for order in permutations(range(len(p)), size):
        left, chance = 1.0, 1.0
        for option in order:
            chance *= p[option] / left
            left -= p[option]
        found[frozenset(order)] += chance
    return found


def slopes(step, name, weights):
    """dL/dw on the validation batch for each of a choice's weights, by finite differences."""
    found = {}
    for option in weights:
        losses = []
        for difference in (1e-5, -1e-5):
            step.network.mix({name: weights | {option: weights[option] + difference}})
            losses.append(float(step.loss(step.valid).detach()))
        found[option] = (losses[0] - losses[1]) / 2e-5
    return found


def opened(space, seed=0):
    torch.manual_seed(seed)
    return OpenNetwork(space, SIGNATURE).double()


def spread_out(relaxation, seed=1):
    """Logits that differ, so that no two candidates are alike."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for row in relaxation.logits:
            row.copy_(torch.randn(len(row), generator=generator))
    return relaxation.double()


def step_of(network, momentum=0.9, weight_decay=1e-2, learning_rate=0.1):
    """A step on two batches, with an optimizer that has momentum from an earlier one."""
    generator = torch.Generator().manual_seed(5)

    def batch():
        return (
            torch.randn(8, 3, dtype=torch.float64, generator=generator),
            torch.randn(8, 2, dtype=torch.float64, generator=generator),
        )

    parameters = list(network.parameters())
    groups = [
        {"params": parameters[:1], "lr": learning_rate / 2, "weight_decay": 0.0},
        {"params": parameters[1:], "lr": learning_rate, "weight_decay": weight_decay},
    ]
    optimizer = torch.optim.SGD(groups, momentum=momentum)
    for parameter in parameters:
        parameter.grad = 0.1 * torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
    optimizer.step()
    optimizer.zero_grad()
    loss = partial(_loss, network)
    return Step(network, loss, batch(), batch(), optimizer)


class Reads(TorchDispatchMode):
    """Counts how often one number is read from a tensor, for which a GPU would be waited for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def _loss(network, batch):
    return torch.nn.functional.mse_loss(network(batch[0]), batch[1])
