"""Candidates beside one another against each by itself, on a copy of the input."""

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.supernets import OpenNetwork
from archwright.supernets.mixed import Mixed, OpenChoice

SIGNATURE = aw.Signature((4, 8, 8), 3)


class Single(nn.Module):
    def __init__(self, op):
        super().__init__()
        self.op = op(4, 4, 1)

    def forward(self, *inputs):
        return self.op(*inputs)


class Sum(nn.Module):
    """Of two inputs, the first of which is written over if it may be."""

    def __init__(self):
        super().__init__()
        self.silu = nn.SiLU(inplace=True)

    def forward(self, x, y):
        return self.silu(x) + y


def pool_silu(i, o, s):
    return nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.SiLU(inplace=True), nn.Conv2d(i, o, 1))


def pool(i, o, s):
    return nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(i, o, 1))


def silu(i, o, s):
    return nn.Sequential(nn.SiLU(inplace=True), nn.Conv2d(i, o, 1))


def identity(i, o, s):
    return nn.Identity()


def relu_dropout(i, o, s):
    return nn.Sequential(nn.ReLU(), nn.Dropout(0.5, inplace=True), nn.Conv2d(i, o, 1))


def relu(i, o, s):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(i, o, 1))


def summed(i, o, s):
    return Sum()


def difference(i, o, s):
    class Difference(nn.Module):
        def forward(self, x, y):
            return x - y

    return Difference()


@pytest.mark.parametrize(
    ("ops", "inputs"),
    [((pool_silu, pool), 1), ((silu, identity), 1), ((relu_dropout, relu), 1), ((summed, difference), 2)],
)
def test_a_candidate_that_computes_in_place_leaves_the_others_what_they_read(ops, inputs):
    torch.manual_seed(0)
    network = OpenNetwork(aw.Space(Single, op=aw.Choice(*ops)), SIGNATURE).train()
    given = [torch.randn(2, 4, 8, 8) for _ in range(inputs)]
    torch.manual_seed(1)
    wanted = sum(0.5 * candidate(*(x.clone() for x in given)) for candidate in network.mixed[0].candidates)
    torch.manual_seed(1)
    made = network(*(x.clone().requires_grad_() * 1.0 for x in given))
    assert torch.allclose(made, wanted, rtol=0, atol=1e-6)
    made.sum().backward()  # torch refuses, where what a gradient needs was written over


def test_an_op_inside_a_candidate_computes_in_place_no_more_either():
    inner = Mixed(OpenChoice("inner", aw.Choice(silu, identity), False), [silu(4, 4, 1), nn.Identity()])
    outer = Mixed(OpenChoice("outer", aw.Choice(silu, identity), False), [nn.Sequential(inner), silu(4, 4, 1)])
    assert not any(module.inplace for module in outer.modules() if isinstance(module, nn.SiLU))


def test_a_standalone_network_computes_in_place_as_its_space_says():
    network = OpenNetwork(aw.Space(Single, op=aw.Choice(silu, identity)), SIGNATURE)
    alone = network.standalone(aw.Architecture({"op": 0}))
    x = torch.randn(2, 4, 8, 8)
    assert alone.op[0].inplace
    network.decide(aw.Architecture({"op": 0}))
    assert torch.allclose(alone(x.clone()), network(x), rtol=0, atol=1e-6)
