"""Every part of the library through the contract that outsiders run on theirs. A new part adds one line here."""

import tempfile
from dataclasses import dataclass

import pytest
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.estimators.proxies import PROXIES, Vote
from archwright.registry import parts
from archwright.supernets import GraphHypernetwork
from archwright.testing import check_estimator, check_relaxation, check_space, check_strategy, spaces_to_survive

SIGNATURES = (aw.Signature((1, 8, 8), 10), aw.Signature((1, 28, 28), 10), aw.Signature((3, 32, 32), 10))
TEXTS = (aw.Signature((5,), 11, vocabulary=11, positions=(5,)),)
OF_TEXTS = ("darts-rnn", "enas-rnn")

SPACES = {  # sized so that 300 architectures build and run in seconds; the decisions are the full ones
    "autonet": lambda: aw.spaces.autonet(units=(4, 32)),
    "cell": lambda: aw.spaces.cell(cells=1, filters=4),
    "cgp": lambda: aw.spaces.cgp(rows=3, columns=6, levels_back=3, filters=(4, 6, 8)),
    "chain": lambda: aw.spaces.chain(),
    "darts": lambda: aw.spaces.darts(cells=3, channels=4),
    "darts-rnn": lambda: aw.spaces.darts_rnn(hidden=8, embedding=6),
    "eas": lambda: aw.spaces.eas(widths=(4, 6, 8, 12), units=(8, 12, 16)),
    "elastic-chain": lambda: aw.spaces.elastic_chain(layers=2, filters=(2, 4, 6), units=(4, 8)),
    "elastic-mobile": lambda: aw.spaces.elastic_mobile(widths=(4, 6), strides=(2, 2), depth=(1, 3)),
    "elastic-transformer": lambda: aw.spaces.elastic_transformer(widths=(8, 12), depth=(1, 3), head_width=4),
    "enas-macro": lambda: aw.spaces.enas_macro(channels=4),
    "enas-micro": lambda: aw.spaces.enas_micro(cells=1, channels=4),
    "enas-rnn": lambda: aw.spaces.enas_rnn(hidden=8, embedding=6),
    "fabric": lambda: aw.spaces.fabric(layers=4, scales=4, channels=4),
    "genet": lambda: aw.spaces.genet(filters=4),
    "growing": lambda: aw.spaces.growing(max_layers=3, widths=(4, 6, 8)),
    "hierarchical": lambda: aw.spaces.hierarchical(motif_nodes=3, nodes=4, channels=4, stages=2),
    "maskconnect": lambda: aw.spaces.maskconnect(channels=8, cardinality=2, width=2),
    "memory-banks": lambda: aw.spaces.memory_banks(stages=2, layers=3, banks=3, channels=2),
    "metaqnn": lambda: aw.spaces.metaqnn(filters=(4, 8, 12, 16), units=(32, 16, 8)),
    "multibranch": lambda: aw.spaces.multibranch(),
    "nasbench1shot1": lambda: aw.spaces.nasbench1shot1(modules=1, channels=4),
    "nasbench101": lambda: aw.spaces.nasbench101(modules=1, channels=8),
    "nasbench201": lambda: aw.spaces.nasbench201(cells=1),
    "path-level": lambda: aw.spaces.path_level(width=4, cells=1, stages=2, depth=2),
    "pnas": lambda: aw.spaces.pnas(cells=1, filters=4),
    "proxyless": lambda: aw.spaces.proxyless(
        channels=(4, 6, 8), blocks=(2, 3, 1), strides=(2, 1, 2), stem=(4, 4), head=8
    ),
    "robust-darts": lambda: aw.spaces.robust_darts(cells=3, channels=4),
    "zoph-le": lambda: aw.spaces.zoph_le(layers=8, least=4, filters=(4, 6, 8), strides=(1, 2, 3)),
}


@dataclass(frozen=True)
class Sum:
    """A cheap estimate of an architecture of any space."""

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"sum": sum(float(value) for _, value in trial.architecture)})


STRATEGIES = {
    "arc-kernel": lambda: aw.strategies.ArcKernel(initial=30, candidates=20, ard=False),
    "asha": aw.strategies.ASHA,
    "auto-keras": lambda: aw.strategies.AutoKeras(cooling=0.5, coldest=0.3),
    "bananas": lambda: aw.strategies.BANANAS(initial=5, candidates=20, members=2, layers=1, epochs=5),
    "bohb": lambda: aw.strategies.BOHB(aw.strategies.KernelDensity(candidates=4)),
    "cgp": aw.strategies.CGP,
    "dehb": aw.strategies.DEHB,
    "eas": lambda: aw.strategies.EAS(networks=4, hidden=4, embedding=3, wider=1, deeper=2),
    "exhaustive": aw.strategies.Exhaustive,
    "expected-hypervolume": lambda: aw.strategies.ExpectedHypervolume(initial=30, candidates=20, ard=False),
    "freeze-thaw": lambda: aw.strategies.FreezeThaw(levels=(0.3, 1.0), initial=40, candidates=10),
    "genetic-cnn": lambda: aw.strategies.GeneticCNN(population=8),
    "hyperband": aw.strategies.Hyperband,
    "kernel-density": lambda: aw.strategies.KernelDensity(candidates=4),
    "lemonade": lambda: aw.strategies.LEMONADE(start=5),
    "local-search": aw.strategies.LocalSearch,
    "nash": lambda: aw.strategies.NASH(children=3, morphisms=2),
    "nasbot": lambda: aw.strategies.NASBOT(initial=5, generations=2, offspring=6),
    "nasbowl": lambda: aw.strategies.NASBOWL(initial=5, candidates=20),
    "nsga2": lambda: aw.strategies.NSGA2(population=8),
    "optuna-sampler": lambda: aw.strategies.OptunaSampler("RandomSampler"),  # others in a test of their own
    "path-level": lambda: aw.strategies.PathLevel(networks=4, hidden=4, embedding=3, morphisms=2),
    "pnas": lambda: aw.strategies.PNAS(beam=6, candidates=20, members=2, width=8, epochs=5),
    "ppo": lambda: aw.strategies.PPO(hidden=8),
    "q-learning": lambda: aw.strategies.QLearning(horizon=40),
    "random": aw.strategies.Random,
    "regularized-evolution": lambda: aw.strategies.RegularizedEvolution(population=10, sample=3),
    "reinforce": lambda: aw.strategies.Reinforce(hidden=8),
    "rising": lambda: aw.strategies.Rising(evaluations=30, carried=3),
    "smac": lambda: aw.strategies.SMAC(initial=5, trees=3, candidates=10),
    "successive-halving": aw.strategies.SuccessiveHalving,
    "tournament-evolution": lambda: aw.strategies.TournamentEvolution(population=10),
    "tpe": lambda: aw.strategies.TPE(initial=5, candidates=8),
    "tree-search": aw.strategies.TreeSearch,
    "warm": lambda: aw.strategies.Warm(
        aw.strategies.RegularizedEvolution(population=6, sample=2), Sum(), "min:sum", pool=20, first=6
    ),
}
GRADIENT_STRATEGIES = {  # at learning rates with which a hundred steps are enough
    "darts": lambda: aw.strategies.DARTS(learning_rate=0.02),
    "dartspt": lambda: aw.strategies.DARTSPT(aw.strategies.DARTS(learning_rate=0.02), epochs=1),
    "das": lambda: aw.strategies.DAS(learning_rate=0.02),
    "dr-nas": lambda: aw.strategies.DrNAS(learning_rate=0.05),
    "enas": lambda: aw.strategies.ENAS(steps=10, samples=5, learning_rate=0.03, hidden=16),
    "gdas": lambda: aw.strategies.GDAS(learning_rate=0.02),
    "mask-connect": lambda: aw.strategies.MaskConnect(),
    "pcdarts": lambda: aw.strategies.PCDARTS(learning_rate=0.02, parts=2),
    "proxyless-nas": lambda: aw.strategies.ProxylessNAS(learning_rate=0.1, every=1),
    "robust-darts": lambda: aw.strategies.RobustDARTS(aw.strategies.DARTS(learning_rate=0.02)),
    "snas": lambda: aw.strategies.SNAS(learning_rate=0.02),
    "unrolled-darts": lambda: aw.strategies.UnrolledDARTS(learning_rate=0.02),
}


def measured_run():
    """The folder of a finished run, for an estimator that learns from it."""
    folder = tempfile.mkdtemp()
    space, cheap = contract_space(), aw.estimators.ZeroCost(aw.tasks.digits(), ("l2_norm",), batch=8)
    run = aw.search(space, aw.strategies.Random(), cheap, objectives="max:l2_norm")
    for _ in aw.record(aw.budget(run, evaluations=12), folder):
        pass
    return folder


def contract_space():
    return aw.spaces.nasbench201(cells=1, channels=4)


def training(epochs=1):
    return aw.estimators.Training(aw.tasks.digits(), epochs=epochs)


ESTIMATORS = {
    "cached": lambda: aw.estimators.Cached(training(), tempfile.mkdtemp()),
    "early-stopping": lambda: aw.estimators.EarlyStopping(training(4), aw.curves.PowerLaw(), every=1, warmup=1),
    "hypernetwork": lambda: aw.estimators.Hypernetwork(
        aw.tasks.digits(), epochs=1, weights=GraphHypernetwork(channels=16, kernel=3, rounds=1)
    ),
    "inherited": lambda: aw.estimators.Inherited(training()),
    "mean": lambda: aw.estimators.Mean(training(), seeds=2),
    "predicted": lambda: aw.estimators.Predicted(aw.predictors.RandomForest(5), "l2_norm", (measured_run(),)),
    "staged": lambda: aw.estimators.Staged(aw.estimators.ZeroCost(aw.tasks.digits(), ("synflow",)), training()),
    "training": lambda: training(2),
    "weight-sharing": lambda: aw.estimators.WeightSharing(aw.tasks.digits(), epochs=1),
    "zero-cost": lambda: aw.estimators.ZeroCost(aw.tasks.digits(), (*PROXIES, Vote(population=2)), batch=16),
}


@pytest.mark.parametrize(
    ("kind", "covered"),
    [("spaces", SPACES), ("strategies", STRATEGIES | GRADIENT_STRATEGIES), ("estimators", ESTIMATORS)],
)
def test_every_registered_part_is_under_contract(kind, covered):
    assert set(covered) == set(parts(kind))


@pytest.mark.parametrize("name", SPACES)
def test_space(name):
    check_space(SPACES[name](), TEXTS if name in OF_TEXTS else SIGNATURES, samples=300)


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_the_space_can_be_kept_as_plain_source(name, tmp_path):
    space, streams = SPACES[name](), Streams(7)
    signature = TEXTS[0] if name in OF_TEXTS else SIGNATURES[1]
    example = torch.randint(11, (4, 5)) if name in OF_TEXTS else torch.randn(4, 1, 28, 28)
    for number in range(3):
        network = space.build(aw.spaces.sample(space, streams[number]), signature)
        assert aw.export.source(network, tmp_path / f"net{number}.py", example).max_difference < 1e-5


@pytest.mark.parametrize("name", spaces_to_survive())
def test_space_without_networks(name):
    check_space(spaces_to_survive()[name], samples=100)


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategy(name):
    check_strategy(STRATEGIES[name]())


@pytest.mark.parametrize("name", GRADIENT_STRATEGIES)
def test_gradient_strategy(name):
    check_relaxation(GRADIENT_STRATEGIES[name]())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimator(name):
    _ = aw.tasks.digits().splits  # importing scikit-learn's data sets draws from Python's global randomness
    fidelities = (1.0,) if name == "predicted" else (1.0, 0.5)  # a model of one fidelity says nothing of another
    tolerance = 0.05 if torch.cuda.is_available() else 0.0
    check_estimator(ESTIMATORS[name](), contract_space(), fidelities=fidelities, tolerance=tolerance)
