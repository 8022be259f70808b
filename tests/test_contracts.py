"""Every part of the library through the contract that outsiders run on theirs. A new part adds one line here."""

import pytest
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.registry import parts
from archwright.testing import check_estimator, check_space, check_strategy, spaces_to_survive

SIGNATURES = (aw.Signature((1, 8, 8), 10), aw.Signature((1, 28, 28), 10), aw.Signature((3, 32, 32), 10))

SPACES = {  # sized so that 300 architectures build and run in seconds; the decisions are the full ones
    "cell": lambda: aw.spaces.cell(cells=1, filters=4),
    "chain": lambda: aw.spaces.chain(),
    "multibranch": lambda: aw.spaces.multibranch(),
    "nasbench201": lambda: aw.spaces.nasbench201(cells=1),
}
STRATEGIES = {
    "exhaustive": aw.strategies.Exhaustive,
    "local-search": aw.strategies.LocalSearch,
    "random": aw.strategies.Random,
    "regularized-evolution": lambda: aw.strategies.RegularizedEvolution(population=10, sample=3),
}
ESTIMATORS = {"training": lambda: aw.estimators.Training(aw.tasks.digits(), epochs=2)}


@pytest.mark.parametrize(
    ("kind", "covered"), [("spaces", SPACES), ("strategies", STRATEGIES), ("estimators", ESTIMATORS)]
)
def test_every_registered_part_is_under_contract(kind, covered):
    assert set(covered) == set(parts(kind))


@pytest.mark.parametrize("name", SPACES)
def test_space(name):
    check_space(SPACES[name](), SIGNATURES, samples=300)


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_the_space_can_be_kept_as_plain_source(name, tmp_path):
    space, streams = SPACES[name](), Streams(7)
    for number in range(3):
        network = space.build(aw.spaces.sample(space, streams[number]), SIGNATURES[1])
        assert aw.export.source(network, tmp_path / f"net{number}.py", torch.randn(4, 1, 28, 28)).max_difference < 1e-5


@pytest.mark.parametrize("name", spaces_to_survive())
def test_space_without_networks(name):
    check_space(spaces_to_survive()[name], samples=100)


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategy(name):
    check_strategy(STRATEGIES[name]())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator(name):
    check_estimator(ESTIMATORS[name](), aw.spaces.nasbench201(cells=1, channels=4), fidelities=(1.0, 0.5))
