"""Costs before training, of modules as users write them."""

import numpy as np
import pytest
import torch
from torch import nn

import archwright as aw
from archwright.estimators import Training, WeightSharing, ZeroCost
from archwright.estimators.costing import costs_of

SIGNATURE = aw.Signature((16, 32), 2)
COSTS = (aw.Parameters(), aw.Flops(), aw.Memory())
FIRST = aw.Architecture((("width", 0),))


class Plain(nn.Module):
    """Weighs 16 steps and reads their sum."""

    def __init__(self, signature, width):
        super().__init__()
        self.hold(np.hanning(16).astype(np.float32))
        self.body = nn.Sequential(nn.Linear(32, width), nn.Linear(width, signature.outputs))

    def hold(self, weights):
        self.register_buffer("weights", torch.zeros(16))

    def forward(self, x):
        return self.body((x * self.weights[:, None]).sum(-2))


class Buffer(Plain):
    def hold(self, weights):
        self.register_buffer("weights", torch.from_numpy(weights))


class Attribute(Plain):
    def hold(self, weights):
        self.weights = torch.from_numpy(weights)


class Numbers(Plain):
    def hold(self, weights):
        super().hold(weights)
        self.rates = torch.linspace(0, 0.1, 3).numpy()


class Steps(Plain):
    def forward(self, x):
        return self.body((x * torch.linspace(0, 1, 16)[:, None]).sum(-2))


class Careful(Plain):
    def forward(self, x):
        if torch.isnan(x).any():
            raise ValueError("an input is no number")
        return super().forward(x)


def space(factory):
    return aw.Space(factory, width=aw.Choice(4, 8))


@pytest.mark.parametrize("factory", [Buffer, Attribute, Numbers, Steps, Careful])
def test_what_can_not_run_without_numbers_costs_what_it_costs(factory):
    wanted = {"parameters": 32 * 4 + 4 + 4 * 2 + 2, "flops": 2 * (32 * 4 + 4 * 2)}
    assert costs_of(space(factory), FIRST, SIGNATURE, COSTS[:2]) == wanted


@pytest.mark.parametrize("estimator", [Training, ZeroCost, WeightSharing])
@pytest.mark.parametrize("factory", [Numbers, Careful])
def test_every_preflight_takes_such_modules(estimator, factory):
    task = aw.tasks.arrays(np.zeros((30, 16, 32), np.float32), np.arange(30) % 2)
    before = estimator(task).preflight(space(factory), aw.Trial(FIRST))
    assert before == {"parameters": 142, "flops": 272}


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.of = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x):
        return self.of(x, x, x, need_weights=False)


LAYERS = {
    "encoder": lambda rate: nn.TransformerEncoderLayer(32, 4, 64, rate, batch_first=True),
    "attention": lambda rate: SelfAttention(),
    "lstm": lambda rate: nn.LSTM(32, 32, batch_first=True),
}


class Fused(nn.Module):
    """A layer that is one operation on the CPU; a number is read off a tensor in the constructor or in forward."""

    def __init__(self, signature, layer, reads):
        super().__init__()
        self.reads = reads
        self.layer = LAYERS[layer](torch.tensor(0.1).item() if reads == "constructor" else 0.1)
        self.head = nn.Linear(32, signature.outputs)

    def forward(self, x):
        if self.reads == "forward":
            assert torch.isfinite(x).all()
        made = self.layer(x)
        return self.head((made[0] if isinstance(made, tuple) else made).mean(1))


@pytest.mark.parametrize("layer", LAYERS)
def test_costs_do_not_depend_on_where_they_can_be_measured(layer):
    plain, constructor, forward = (
        costs_of(aw.Space(Fused, layer=layer, reads=reads), aw.Architecture(()), SIGNATURE, COSTS)
        for reads in ("nowhere", "constructor", "forward")
    )
    assert constructor == plain
    assert plain["flops"] > 100_000
    if layer == "lstm":  # on the CPU it holds the products of all steps' inputs
        forward["memory_mb"] -= 16 * 4 * 32 * 4 / 1e6
    assert forward == pytest.approx(plain, rel=1e-9)


def test_a_network_that_is_wrong_says_so_in_its_own_words():
    class Wrong(Careful):
        def forward(self, x):
            return super().forward(x)[:, self.body[0](x)]

    with pytest.raises(IndexError, match="tensors used as indices must be"):
        costs_of(space(Wrong), FIRST, SIGNATURE, COSTS)
    assert costs_of(space(Plain), FIRST, SIGNATURE, COSTS[:2])["flops"] == 272  # nothing of the failure stays behind


def test_random_numbers_are_left_alone():
    class Draws(Numbers):
        def forward(self, x):
            assert torch.rand(()).item() < 1
            return super().forward(x)

    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    costs_of(space(Draws), FIRST, SIGNATURE, COSTS)
    assert torch.equal(torch.random.get_rng_state(), before)
