from functools import partial

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe
from archwright.core.rng import Streams
from archwright.objectives.costs import Flops, Latency, Parameters
from archwright.registry import rebuild
from archwright.spaces.operators import enumerate_all, sample
from archwright.strategies import DARTS, SNAS, ExpectedCost, ProxylessNAS
from archwright.supernets import OpenNetwork
from archwright.supernets.costs import candidate_costs, expected

SIGNATURE = aw.Signature((3, 8, 8), 5)


def keep(channels):
    return nn.Identity()


def convolution(channels, kernel=3):
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)


class Two(nn.Module):
    """An op that holds two others."""

    def __init__(self, channels, first, second):
        super().__init__()
        self.first, self.second = first(channels), second(channels)
        self.between = convolution(channels, 1)

    def forward(self, x):
        return self.second(self.between(self.first(x)))


class Net(nn.Module):
    """The ops at one size, and once more at half of it; the last op runs twice."""

    def __init__(self, signature, ops, last):
        super().__init__()
        self.stem = nn.Conv2d(signature.input_shape[0], 4, 3, padding=1)
        self.large = nn.Sequential(*(op(4) for op in ops))
        self.pool = nn.MaxPool2d(2)
        self.small = nn.Sequential(*(op(4) for op in ops))
        self.last = last(4)
        self.head = nn.Linear(4, signature.outputs)

    def forward(self, x):
        x = self.small(self.pool(self.large(self.stem(x))))
        return self.head(self.last(self.last(x)).mean((2, 3)))


def nested():
    """Conditional: what is in `Two` is decided only where it is taken."""
    inner = [aw.Choice(keep, convolution, partial(convolution, kernel=5)) for _ in range(2)]
    ops = [aw.Choice(keep, convolution, partial(Two, first=inner[0], second=inner[1])), aw.Choice(keep, convolution)]
    return aw.Space(Net, ops=ops, last=aw.Choice(keep, convolution))


def distribution(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        choice.name: torch.softmax(
            torch.randn(len(choice.options) + choice.optional, generator=generator, dtype=torch.float64), 0
        )
        for choice in network.choices.values()
        if not choice.is_subset
    }


@pytest.mark.parametrize("cost", [Flops(), Parameters()])
def test_the_expectation_is_that_over_all_architectures(cost):
    """By brute force: the standalone network of each of them, measured, times its probability."""
    space = nested()
    network = OpenNetwork(space, SIGNATURE)
    probabilities = distribution(network)
    mean, total = 0.0, 0.0
    for architecture in enumerate_all(space):
        probability = 1.0
        for name, value in architecture:
            probability *= float(probabilities[name][value])
        mean += probability * cost.measure(space.build(architecture, SIGNATURE), SIGNATURE)
        total += probability
    empty = aw.Architecture((("ops[0]", 0), ("ops[1]", 0), ("last", 0)))  # all ops hand their input on
    fixed = cost.measure(space.build(empty, SIGNATURE), SIGNATURE)
    assert total == pytest.approx(1.0)
    assert float(expected(candidate_costs(network, cost), probabilities)) == pytest.approx(mean - fixed, rel=1e-12)


def test_where_probabilities_are_decisions_it_is_that_architecture():
    space = aw.spaces.nasbench201(cells=1, channels=4)
    network = OpenNetwork(space, SIGNATURE, affine=False)
    table = candidate_costs(network, Flops())
    none = aw.Architecture(tuple((f"edges[{edge}]", 0) for edge in range(6)))
    empty = Flops().measure(space.build(none, SIGNATURE), SIGNATURE)
    for number in range(5):
        architecture = sample(space, Streams(0)[number])
        decided = {name: torch.nn.functional.one_hot(torch.tensor(value), 5).double() for name, value in architecture}
        whole = Flops().measure(space.build(architecture, SIGNATURE), SIGNATURE)
        assert float(expected(table, decided)) == whole - empty


def test_taking_no_part_costs_nothing():
    space = aw.spaces.darts(nodes=2, cells=2, channels=4)
    network = OpenNetwork(space, SIGNATURE)
    probabilities = distribution(network)
    table = candidate_costs(network, Parameters())
    total = 0.0
    for mixed in network.mixed:
        row = probabilities[mixed.choice.name]
        assert len(row) == len(mixed.candidates) + 1
        for candidate, p in zip(mixed.candidates, row, strict=False):
            total += float(p) * sum(parameter.numel() for parameter in candidate.parameters())
    assert float(expected(table, probabilities)) == pytest.approx(total, rel=1e-12)


def test_gradients_reach_the_probabilities():
    network = OpenNetwork(nested(), SIGNATURE)
    table = candidate_costs(network, Flops())
    names = list(distribution(network))
    rows = [row.requires_grad_() for row in distribution(network).values()]
    assert torch.autograd.gradcheck(lambda *rows: expected(table, dict(zip(names, rows, strict=True))) / 1e5, rows)


def test_measuring_leaves_the_network_and_the_random_numbers_alone():
    network = OpenNetwork(nested(), SIGNATURE)
    network.decide(sample(network.space, Streams(0)[0]))
    images = torch.randn(2, 3, 8, 8)
    before, state = network(images), torch.random.get_rng_state()
    for cost in (Flops(), Latency(repetitions=2, warmup=0)):
        candidate_costs(network, cost)
    assert torch.equal(network(images), before)
    assert torch.equal(torch.random.get_rng_state(), state)


class Careful(Net):
    def forward(self, x):
        if torch.isnan(x).any():
            raise ValueError("an input is no number")
        return super().forward(x)


def test_what_can_not_run_without_numbers_is_measured_all_the_same():
    choices = {"ops": [aw.Choice(keep, convolution)], "last": keep}
    plain, careful = (OpenNetwork(aw.Space(factory, **choices), SIGNATURE) for factory in (Net, Careful))
    assert candidate_costs(careful, Flops()) == candidate_costs(plain, Flops())


def test_latencies_are_a_table_of_times():
    network = OpenNetwork(nested(), SIGNATURE)
    table = candidate_costs(network, Latency(batch_size=64, repetitions=5, warmup=2))
    (op,) = (entry for entry in table if entry.choice == "ops[1]")
    keeping, convolving = op.costs
    assert 0 <= keeping < convolving < 1000


def test_a_penalty_is_in_units_of_the_even_mixture():
    network = OpenNetwork(nested(), SIGNATURE)
    even = {name: torch.full_like(row, 1 / len(row)) for name, row in distribution(network).items()}
    assert float(ExpectedCost("flops", weight=0.3).over(network)(even)) == pytest.approx(0.3)
    by_hand = float(expected(candidate_costs(network, Flops()), even))
    penalty = ExpectedCost(Flops(), 0.3, reference=1000.0).over(network)
    assert float(penalty(even)) == pytest.approx(0.3 * by_hand / 1000)


@pytest.mark.parametrize("strategy", [DARTS, SNAS, ProxylessNAS])
def test_a_large_penalty_makes_a_strategy_take_what_is_cheap(strategy):
    space = nested()
    torch.manual_seed(0)
    network = OpenNetwork(space, SIGNATURE)
    relaxation = strategy(learning_rate=0.1, penalty=ExpectedCost("parameters", weight=1.0)).relax(network)
    optimizer = relaxation.optimizer
    for _ in range(60):
        optimizer.zero_grad()
        relaxation.apply_weights()
        relaxation.cost().backward()
        optimizer.step()
    assert all(value == 0 for _, value in relaxation.architecture())


def test_it_is_described_and_made_again():
    for strategy in (DARTS(penalty=ExpectedCost(Latency("cpu", 8), 0.2)), SNAS(penalty=ExpectedCost("parameters"))):
        assert rebuild("strategies", describe(strategy)) == strategy


def test_mistakes_are_told():
    network = OpenNetwork(aw.Space(Net, ops=[aw.Choice(keep, nn.Identity)], last=keep), SIGNATURE)
    with pytest.raises(ArchwrightError, match="nothing to act on"):
        ExpectedCost("flops").over(network)
    with pytest.raises(ArchwrightError, match="flops"):
        ExpectedCost("flopps").over(network)


class Called(TorchFunctionMode):
    """Notes the names of torch's functions that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def test_costs_become_a_tensor_once():
    network = OpenNetwork(nested(), SIGNATURE)
    table, probabilities = candidate_costs(network, Flops()), distribution(network)
    first = expected(table, probabilities)
    with Called() as called:
        assert expected(table, probabilities) == first
    assert "__matmul__" in called.names or "matmul" in called.names
    assert not {"tensor", "new_tensor", "as_tensor"} & called.names
