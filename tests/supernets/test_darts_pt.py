import math

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.choices import Choice, Integer, Subset
from archwright.spaces.opening import current, every, taken
from archwright.supernets import Judge, OpenNetwork, Relaxation
from archwright.supernets.bilevel import first_order
from archwright.supernets.perturbation import Perturbation

SIGNATURE = aw.Signature((4,), 2)


class Scaled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def lost():
    return Scaled(0.0)


def kept():
    return Scaled(1.0)


def spoilt():
    return Scaled(-0.5)


class Picks(nn.Module):
    """Sums some of the four inputs, each through an op; the class is whether the sum is positive."""

    def __init__(self, signature, inputs, op):
        super().__init__()
        self.inputs = inputs
        self.ops = nn.ModuleDict({str(item["place"]): item["op"]() for item in every(inputs)})
        self.op = op()

    def forward(self, x):
        total = sum(weight * self.ops[str(item["place"])](x[:, item["place"]]) for item, weight in taken(self.inputs))
        return torch.stack([-self.op(total), self.op(total)], dim=1)


def picks():
    return aw.Space(
        Picks,
        inputs=Subset(2, *({"place": place, "op": Choice(lost, kept)} for place in range(4))),
        op=Choice(spoilt, lost, kept),
    )


@pytest.fixture
def trained():
    """A relaxation that likes what is worst: the inputs 0 and 1, and ops that lose them."""
    torch.manual_seed(0)
    relaxation = Relaxation(OpenNetwork(picks(), SIGNATURE), first_order)
    with torch.no_grad():
        for name, row in zip(relaxation.names, relaxation.logits, strict=True):
            row.zero_()
            row[0] = 0.5 if name == "op" else 1.0 if "[0]" in name or "[1]" in name else 0.4
    return relaxation


def judge_of(network, tuned):
    """The class is the sign of inputs 2 and 3 together; the others are noise."""
    x = torch.randn(400, 4, generator=torch.Generator().manual_seed(1))
    targets = (x[:, 2] + x[:, 3] > 0).long()

    def score():
        return float((network(x).argmax(1) == targets).float().mean())

    return Judge(score, tuned.append, None)


def test_it_keeps_what_the_score_needs_where_the_weights_mislead(trained):
    chosen = Perturbation(epochs=1)(trained, judge_of(trained.network, []))
    by_weight = trained.architecture()
    pairs = trained.network.choices["inputs"].choice.combinations
    assert pairs[by_weight["inputs"]] == (0, 1)
    assert by_weight["op"] == 0
    assert chosen["op"] == 2
    assert pairs[chosen["inputs"]] == (2, 3)
    assert (chosen["inputs[2].op"], chosen["inputs[3].op"]) == (1, 1)


def test_between_decisions_the_weights_are_tuned_at_a_rate_that_falls_to_zero(trained):
    tuned = []
    Perturbation(epochs=3, learning_rate=0.2)(trained, judge_of(trained.network, tuned))
    decisions = 6
    total = 3 * (decisions - 1)
    assert tuned == pytest.approx([0.1 * (1 + math.cos(math.pi * done / total)) for done in range(total)])


def test_when_it_tunes_what_was_decided_is_decided_and_the_rest_is_not(trained):
    network, seen = trained.network, []

    def tune(rate):
        seen.append({name for name, choice in network.choices.items() if list(choice.weights.values()) == [1.0]})

    judge = Judge(judge_of(network, []).score, tune, None)
    Perturbation(epochs=1)(trained, judge)
    ops = {name for name, choice in network.choices.items() if not choice.is_subset}
    assert [len(decided) for decided in seen] == [1, 2, 3, 4, 5]
    assert seen[-1] == ops


def test_the_order_is_drawn(trained):
    orders = set()
    for seed in range(8):
        torch.manual_seed(seed)
        first = []

        def tune(rate, first=first):
            network = trained.network
            first.append(next(n for n, c in network.choices.items() if list(c.weights.values()) == [1.0]))

        Perturbation(epochs=1)(trained, Judge(judge_of(trained.network, []).score, tune, None))
        orders.add(first[0])
    assert len(orders) > 2


class Deep(nn.Module):
    """Whose number of layers is open."""

    def __init__(self, signature, layers, op):
        super().__init__()
        self.layers, self.op = layers, op()

    def forward(self, x):
        total = self.op(x[:, 0])
        return torch.stack([-total, total], dim=1) * current(self.layers)


def test_a_number_that_can_be_no_mixture_is_refused_with_a_way_out():
    network = OpenNetwork(aw.Space(Deep, layers=Integer(1, 3), op=Choice(lost, kept)), SIGNATURE)
    with pytest.raises(aw.ArchwrightError, match="a strategy that samples architectures"):
        Perturbation(epochs=1)(Relaxation(network, first_order), judge_of(network, []))
