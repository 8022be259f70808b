"""Every part of the library through the contract that outsiders run on theirs. A new part adds one line here."""

import pytest
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.registry import parts
from archwright.testing import check_estimator, check_space, check_strategy, spaces_to_survive

SIGNATURES = (aw.Signature((1, 8, 8), 10), aw.Signature((1, 28, 28), 10), aw.Signature((3, 32, 32), 10))

SPACES = {  # sized so that 300 architectures build and run in seconds; the decisions are the full ones
    "autonet": lambda: aw.spaces.autonet(units=(4, 32)),
    "cell": lambda: aw.spaces.cell(cells=1, filters=4),
    "cgp": lambda: aw.spaces.cgp(rows=3, columns=6, levels_back=3, filters=(4, 6, 8)),
    "chain": lambda: aw.spaces.chain(),
    "genet": lambda: aw.spaces.genet(filters=4),
    "hierarchical": lambda: aw.spaces.hierarchical(motif_nodes=3, nodes=4, channels=4, stages=2),
    "metaqnn": lambda: aw.spaces.metaqnn(filters=(4, 8, 12, 16), units=(32, 16, 8)),
    "multibranch": lambda: aw.spaces.multibranch(),
    "nasbench101": lambda: aw.spaces.nasbench101(modules=1, channels=8),
    "nasbench201": lambda: aw.spaces.nasbench201(cells=1),
    "pnas": lambda: aw.spaces.pnas(cells=1, filters=4),
    "zoph-le": lambda: aw.spaces.zoph_le(layers=8, least=4, filters=(4, 6, 8), strides=(1, 2, 3)),
}
STRATEGIES = {
    "arc-kernel": lambda: aw.strategies.ArcKernel(initial=30, candidates=20, ard=False),
    "bananas": lambda: aw.strategies.BANANAS(initial=5, candidates=20, members=2, layers=1, epochs=5),
    "cgp": aw.strategies.CGP,
    "exhaustive": aw.strategies.Exhaustive,
    "expected-hypervolume": lambda: aw.strategies.ExpectedHypervolume(initial=30, candidates=20, ard=False),
    "genetic-cnn": lambda: aw.strategies.GeneticCNN(population=8),
    "lemonade": lambda: aw.strategies.LEMONADE(start=5),
    "local-search": aw.strategies.LocalSearch,
    "nasbot": lambda: aw.strategies.NASBOT(initial=5, generations=2, offspring=6),
    "nasbowl": lambda: aw.strategies.NASBOWL(initial=5, candidates=20),
    "nsga2": lambda: aw.strategies.NSGA2(population=8),
    "optuna-sampler": lambda: aw.strategies.OptunaSampler("RandomSampler"),  # others in a test of their own
    "pnas": lambda: aw.strategies.PNAS(beam=6, candidates=20, members=2, width=8, epochs=5),
    "ppo": lambda: aw.strategies.PPO(hidden=8),
    "q-learning": lambda: aw.strategies.QLearning(horizon=40),
    "random": aw.strategies.Random,
    "regularized-evolution": lambda: aw.strategies.RegularizedEvolution(population=10, sample=3),
    "reinforce": lambda: aw.strategies.Reinforce(hidden=8),
    "smac": lambda: aw.strategies.SMAC(initial=5, trees=3, candidates=10),
    "tournament-evolution": lambda: aw.strategies.TournamentEvolution(population=10),
    "tpe": lambda: aw.strategies.TPE(initial=5, candidates=8),
    "tree-search": aw.strategies.TreeSearch,
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
