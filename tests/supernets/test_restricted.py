"""The open network restricted to an architecture is that architecture's own network: outputs, gradients, statistics."""

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.operators import sample
from archwright.spaces.ops import NASBENCH201_OPS
from archwright.supernets import OpenNetwork

SIGNATURE = aw.Signature((1, 8, 8), 3)
ARCHITECTURES = 50


class TwoRoutes(nn.Module):
    """A user's own module: ops, one of them shared, in a place of which it doesn't know whether it is decided."""

    def __init__(self, signature, first, second):
        super().__init__()
        self.stem = nn.Conv2d(signature.input_shape[0], 3, 3, stride=2)
        self.first, self.again, self.second = first(3, 3, 1), first(3, 3, 1), second(3, 3, 1)
        self.linear = nn.Linear(3, signature.outputs)

    def forward(self, x):
        x = self.stem(x)
        return self.linear((self.second(self.first(x)) + self.again(x)).mean((2, 3)))


def of_a_user():
    return aw.Space(TwoRoutes, first=aw.Choice(*NASBENCH201_OPS[1:]), second=aw.Choice(*NASBENCH201_OPS[1:]))


SPACES = {
    "darts": lambda: aw.spaces.darts(cells=3, channels=2),
    "enas_macro": lambda: aw.spaces.enas_macro(layers=6, channels=2),
    "enas_macro, growing": lambda: aw.spaces.enas_macro(layers=3, channels=2, growth=2),
    "enas_micro": lambda: aw.spaces.enas_micro(nodes=3, cells=1, channels=2, stages=2),
    "fabric": lambda: aw.spaces.fabric(layers=4, scales=3, channels=2),
    "maskconnect": lambda: aw.spaces.maskconnect(modules=(3, 2), channels=2, cardinality=2, width=1),
    "memory_banks": lambda: aw.spaces.memory_banks(stages=2, layers=3, banks=3, channels=2),
    "nasbench1shot1, 1": lambda: aw.spaces.nasbench1shot1(1, modules=1, channels=2),
    "nasbench1shot1, 2": lambda: aw.spaces.nasbench1shot1(2, modules=1, channels=2),
    "nasbench1shot1, 3": lambda: aw.spaces.nasbench1shot1(3, modules=1, channels=2),
    "nasbench201": lambda: aw.spaces.nasbench201(cells=1, channels=2),
    "proxyless": lambda: aw.spaces.proxyless((2, 3), blocks=(2, 2), strides=(1, 2), stem=(2, 2), head=4, stem_stride=1),
    "a user's own": of_a_user,
}


def passed(network, inputs, direction):
    """Outputs, and the gradient of a scalar of them with respect to the inputs; parameters keep theirs."""
    network.zero_grad(set_to_none=True)
    inputs = inputs.clone().requires_grad_()
    outputs = network(inputs)
    (outputs * direction).sum().backward()
    return outputs.detach(), gradient_of(inputs)


def gradient_of(parameter):
    """Zeros where nothing reached it: a dead end may be computed, to no effect, or not."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def close(given, wanted):
    return torch.allclose(given, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", SPACES)
def test_a_decided_open_network_is_the_standalone_network(name):
    torch.manual_seed(0)
    space = SPACES[name]()
    network = OpenNetwork(space, SIGNATURE).double()
    inputs = torch.randn(3, *SIGNATURE.input_shape, dtype=torch.float64)
    direction = torch.randn(3, SIGNATURE.outputs, dtype=torch.float64)
    seen = set()
    for number in range(ARCHITECTURES):
        architecture = sample(space, Streams(0)[number])
        network.train(number % 2 == 0)  # training first, so that running statistics are no longer the initial ones
        alone = network.standalone(architecture)
        network.decide(architecture)
        shared = network.weights_of(architecture, alone)  # views, which see what follows
        outputs, gradient = passed(network, inputs, direction)
        wanted, wanted_gradient = passed(alone, inputs, direction)
        assert close(outputs, wanted)
        assert close(gradient, wanted_gradient)
        places = {parameter.data_ptr(): parameter for parameter in network.parameters()}
        for path, parameter in alone.named_parameters():
            there = places.pop(shared[path].data_ptr())
            assert torch.equal(there, parameter)
            assert close(gradient_of(there), gradient_of(parameter)), path
        for path, buffer in alone.named_buffers():
            assert close(shared[path], buffer), path
        assert all(parameter.grad is None for parameter in places.values())  # nobody else's weights took part
        seen.add(tuple(outputs.flatten().tolist()))
    assert len(seen) > min(ARCHITECTURES, aw.spaces.size(space)) / 4  # the architectures do differ
