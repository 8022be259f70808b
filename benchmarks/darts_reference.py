"""The reference formulation of DARTS' search network, and that ours computes the same.

    python benchmarks/darts_reference.py        # proves equal outputs and gradients, in float64

As in the paper's code and in the libraries that follow it, each edge computes each of its 8 candidates and sums them by
their softmax weights: `none` by multiplying with zero, pools with a batch-norm behind, batch-norms without scale and
shift. The steps are the paper's too: the architecture step differentiates the loss for all parameters, and the unrolled
step does so in a copy of the network. Written for reading and as the yardstick of speed (`supernet_speed.py`).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

import archwright as aw
from archwright.supernets import OpenNetwork, Relaxation
from archwright.supernets.bilevel import first_order


class Identity(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


class FactorizedReduce(nn.Module):
    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.second = nn.Conv2d(inputs, outputs // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        return self.norm(torch.cat([self.first(x), self.second(x[:, :, 1:, 1:])], 1))


def relu_conv_norm(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def depthwise(channels: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=False),
    ]


def separable(channels: int, kernel: int, stride: int) -> nn.Module:
    return nn.Sequential(*depthwise(channels, kernel, stride, 1), *depthwise(channels, kernel, 1, 1))


def candidates(channels: int, stride: int) -> nn.ModuleList:
    """In the order of the paper's code: none, max, avg, skip, sep 3, sep 5, dil 3, dil 5."""
    pools = (nn.MaxPool2d(3, stride, 1), nn.AvgPool2d(3, stride, 1, count_include_pad=False))
    return nn.ModuleList(
        [
            Zero(stride),
            *(nn.Sequential(pool, nn.BatchNorm2d(channels, affine=False)) for pool in pools),
            Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=False),
            separable(channels, 3, stride),
            separable(channels, 5, stride),
            nn.Sequential(*depthwise(channels, 3, stride, 2)),
            nn.Sequential(*depthwise(channels, 5, stride, 2)),
        ]
    )


class Cell(nn.Module):
    def __init__(self, before: int, previous: int, channels: int, reduces: bool, shrunk: bool) -> None:
        super().__init__()
        self.before = FactorizedReduce(before, channels, True) if shrunk else relu_conv_norm(before, channels)
        self.previous = relu_conv_norm(previous, channels)
        self.edges = nn.ModuleList(
            candidates(channels, 2 if reduces and source < 2 else 1) for node in range(4) for source in range(node + 2)
        )

    def forward(self, before: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        states = [self.before(before), self.previous(previous)]
        offset = 0
        for _ in range(4):
            edges = zip(states, self.edges[offset : offset + len(states)], weights[offset:], strict=False)
            total = sum(sum(w * op(state) for w, op in zip(row, edge, strict=True)) for state, edge, row in edges)
            offset += len(states)
            states.append(total)
        return torch.cat(states[2:], 1)


class Reference(nn.Module):
    """DARTS' search network. `alphas`: a row an edge and a column a candidate, for the normal and for the reduction
    cell."""

    def __init__(self, inputs: int, outputs: int, cells: int = 8, channels: int = 16) -> None:
        super().__init__()
        before = previous = 3 * channels
        self.stem = nn.Sequential(nn.Conv2d(inputs, previous, 3, padding=1, bias=False), nn.BatchNorm2d(previous))
        self.cells = nn.ModuleList()
        self.reduces = [index in (cells // 3, 2 * cells // 3) for index in range(cells)]
        shrunk = False
        for reduces in self.reduces:
            channels *= 2 if reduces else 1
            self.cells.append(Cell(before, previous, channels, reduces, shrunk))
            before, previous, shrunk = previous, 4 * channels, reduces
        self.linear = nn.Linear(previous, outputs)
        self.alphas = [
            (1e-3 * torch.randn(14, 8)).requires_grad_() for _ in range(2)
        ]  # no parameters, as in the paper's

    def forward(self, x: Tensor) -> Tensor:
        weights = [torch.softmax(alpha, 1) for alpha in self.alphas]
        before = previous = self.stem(x)
        for cell, reduces in zip(self.cells, self.reduces, strict=True):
            before, previous = previous, cell(before, previous, weights[reduces])
        return self.linear(previous.mean((2, 3)))


Batch = tuple[Tensor, Tensor]


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    return functional.cross_entropy(network(batch[0]), batch[1])


class ReferenceSearch:
    """The paper's two alternating steps."""

    def __init__(self, network: Reference) -> None:
        self.network = network
        self.weights = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
        self.adam = torch.optim.Adam(network.alphas, 3e-4, (0.5, 0.999), weight_decay=1e-3)

    def weight_step(self, train: Batch) -> None:
        self.weights.zero_grad()
        loss_of(self.network, train).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.weights.step()

    def first_order(self, valid: Batch) -> None:
        self.adam.zero_grad()
        loss_of(self.network, valid).backward()
        self.adam.step()

    def unrolled(self, train: Batch, valid: Batch) -> None:
        network, rate = self.network, self.weights.param_groups[0]["lr"]
        parameters = list(network.parameters())
        gradients = torch.autograd.grad(loss_of(network, train), parameters)
        ahead = copy.deepcopy(network)
        ahead.alphas = [alpha.detach().clone().requires_grad_() for alpha in network.alphas]
        with torch.no_grad():
            for new, parameter, gradient in zip(ahead.parameters(), parameters, gradients, strict=True):
                buffer = self.weights.state.get(parameter, {}).get("momentum_buffer", torch.zeros_like(parameter))
                new.sub_(rate * (0.9 * buffer + gradient + 3e-4 * parameter))
        loss_of(ahead, valid).backward()
        vector = [new.grad for new in ahead.parameters()]
        epsilon = 0.01 / float(torch.cat([part.flatten() for part in vector]).norm())
        sides = []
        for step in (epsilon, -2 * epsilon):
            with torch.no_grad():
                for parameter, part in zip(parameters, vector, strict=True):
                    parameter.add_(step * part)
            sides.append(torch.autograd.grad(loss_of(network, train), network.alphas))
        with torch.no_grad():
            for parameter, part in zip(parameters, vector, strict=True):
                parameter.add_(epsilon * part)
        for alpha, here, plus, minus in zip(network.alphas, ahead.alphas, *sides, strict=True):
            alpha.grad = here.grad - rate * (plus - minus) / (2 * epsilon)
        self.adam.step()


def copy_to_ours(reference: Reference, network: OpenNetwork, relaxation: Relaxation) -> None:
    """Gives our open network the reference's weights, and our relaxation its logits (ours have `none` last)."""
    with torch.no_grad():
        for ours, theirs in zip(layers(network), layers(reference), strict=True):
            ours.copy_(theirs)
        for row, theirs in zip(rows(relaxation), torch.cat(list(reference.alphas)), strict=True):
            row.copy_(theirs.roll(-1))


def layers(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of convolutions and linear layers: both networks are built in the same order."""
    kinds = (nn.Conv2d, nn.Linear)
    return [p for module in network.modules() if isinstance(module, kinds) for p in module.parameters()]


def rows(relaxation: Relaxation) -> list[nn.Parameter]:
    """The logits edge by edge, the normal cell's first."""
    return list(relaxation.logits)


def pair(signature: aw.Signature, cells: int, channels: int) -> tuple[Reference, OpenNetwork, Relaxation]:
    """Both networks with the same weights, as they are searched: candidates' batch-norms have no scale and shift."""
    reference = Reference(signature.input_shape[0], signature.outputs, cells, channels)
    network = OpenNetwork(aw.spaces.darts(cells=cells, channels=channels), signature, affine=False)
    relaxation = Relaxation(network, first_order)
    copy_to_ours(reference, network, relaxation)
    return reference, network, relaxation


def differences(reference: Reference, network: OpenNetwork, relaxation: Relaxation, batch: Batch) -> dict[str, float]:
    """The largest differences of outputs and of gradients, each relative to the largest value."""
    relaxation.apply_weights()
    ours, theirs = network(batch[0]), reference(batch[0])
    wanted = (layers(network), layers(reference))
    one = torch.autograd.grad(functional.cross_entropy(ours, batch[1]), wanted[0] + rows(relaxation))
    other = torch.autograd.grad(functional.cross_entropy(theirs, batch[1]), wanted[1] + list(reference.alphas))
    count = len(wanted[0])
    logits = [(a, b.roll(-1)) for a, b in zip(one[count:], torch.cat(other[count:]), strict=True)]
    return {
        "outputs": _difference([(ours, theirs)]),
        "gradients of weights": _difference(list(zip(one[:count], other[:count], strict=True))),
        "gradients of architecture": _difference(logits),
    }


def _difference(pairs: list[tuple[Tensor, Tensor]]) -> float:
    largest = max(float(theirs.detach().abs().max()) for _, theirs in pairs)
    return max(float((ours - theirs).detach().abs().max()) for ours, theirs in pairs) / largest


def main() -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    signature = aw.Signature((3, 16, 16), 10)
    both = pair(signature, cells=8, channels=8)
    batch = (torch.randn(8, 3, 16, 16), torch.randint(10, (8,)))
    for name, difference in differences(*both, batch).items():
        print(f"{name:28} differ by {difference:.1e} of the largest")
        if not difference < 1e-10:
            raise SystemExit("that is too much")


if __name__ == "__main__":
    main()
