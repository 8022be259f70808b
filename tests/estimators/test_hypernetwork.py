from dataclasses import replace

import pytest
import torch

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe
from archwright.core.rng import Streams
from archwright.estimators.hypernetwork import ADAM
from archwright.registry import rebuild
from archwright.spaces.operators import sample
from archwright.supernets import GraphHypernetwork, Smash
from archwright.tasks.task import Split, Splits, Task

WRITERS = {
    "graph": GraphHypernetwork(hidden=8, rounds=1, channels=4, kernel=3),
    "smash": Smash(hidden=8, code=6, channels=4, kernel=3),
}


def tiny(examples=48):
    """Images of two classes that a mean tells apart."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(examples) % 2
    inputs = torch.randn(examples, 1, 6, 6, generator=generator) + targets[:, None, None, None]
    split = Split(inputs, targets)
    return Task("tiny", lambda: Splits(split, split, split, ("low", "high")))


def space():
    return aw.spaces.nasbench201(cells=1, channels=2)


def estimator(task=None, kind="graph", **settings):
    exact = {"epochs": 2, "weights": WRITERS[kind], "device": "cpu"}
    return aw.estimators.Hypernetwork(task or tiny(), **exact | settings)


def architecture(number=0):
    return sample(space(), Streams(number)[0])


def timeless(evaluations):
    return [replace(evaluation, cost=0.0) for evaluation in evaluations]


@pytest.mark.parametrize("kind", WRITERS)
def test_it_is_trained_once_and_scores_every_architecture_that_is_asked(kind, tmp_path):
    search = aw.search(space(), aw.strategies.Random(), estimator(kind=kind), objectives="valid_accuracy")
    done = [item for item in aw.record(aw.budget(search, evaluations=4), tmp_path) if item.reused is None]
    assert [item.metrics["epochs"] for item in done] == [2.0, 0.0, 0.0, 0.0]
    assert all(item.failure is None for item in done)
    assert all(set(item.metrics) == estimator().metrics for item in done)
    fresh = estimator(kind=kind).stored(str(tmp_path)).estimate(space(), done[3].trial)  # another process reads it
    assert fresh.metrics == done[3].metrics


@pytest.mark.parametrize("writer", [GraphHypernetwork(rounds=1, channels=16, kernel=3), Smash(channels=16, kernel=3)])
def test_training_lowers_the_loss_on_digits(writer):
    digits = aw.tasks.digits()
    few = Split(digits.train.inputs[:512], digits.train.targets[:512])
    task = Task("few digits", lambda: Splits(few, digits.valid, digits.test, digits.classes))
    faster = replace(ADAM, learning_rate=0.005)  # there are few steps
    fit = estimator(task, epochs=6, weights=writer, shared=faster)._fit(aw.spaces.nasbench201(cells=1, channels=8), 0)
    losses = [fit.run_epoch() for _ in range(6)]
    assert losses[-1] < losses[0] - 0.25


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_resumed_equals_what_never_stopped(kind, tmp_path):
    whole = estimator(kind=kind, epochs=4).stored(str(tmp_path / "whole"))
    expected = whole.estimate(space(), aw.Trial(architecture()))
    halves = estimator(kind=kind, epochs=4).stored(str(tmp_path / "halves"))
    fit, keeper = halves._fit(space(), 0), halves._keeper(space(), 0)
    for _ in range(2):  # and there the process ends
        fit.run_epoch()
        keeper.keep(fit)
    answer = halves.estimate(space(), aw.Trial(architecture()))
    assert answer.metrics.pop("epochs") == 2.0
    assert expected.metrics.pop("epochs") == 4.0
    assert answer.metrics == expected.metrics
    kept, same = (
        torch.load(next((tmp_path / name / "checkpoints").glob("*-4.pt")), weights_only=True)["network"]
        for name in ("halves", "whole")
    )
    assert all(torch.equal(kept[name], tensor) for name, tensor in same.items())


def test_the_score_is_that_of_the_written_network_with_calibrated_norms():
    asked = estimator()
    answer = asked.estimate(space(), aw.Trial(architecture(3)))
    fit, *_ = asked._trained(space(), 0)
    network = space().build(architecture(3), tiny().signature)
    network.load_state_dict(fit.writer.weights(architecture(3)), strict=False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    network.train()
    with torch.no_grad():
        network(tiny().prepare(tiny().train.inputs))  # 48 examples are less than a batch of 64
        network.eval()
        outputs = network(tiny().prepare(tiny().valid.inputs))
    loss = torch.nn.functional.cross_entropy(outputs, tiny().valid.targets)
    assert answer.metrics["valid_loss"] == pytest.approx(float(loss), abs=1e-5)


def test_scoring_leaves_the_hypernetwork_as_it_was():
    asked = estimator()
    first = asked.estimate(space(), aw.Trial(architecture(0)))
    fit, *_ = asked._trained(space(), 0)
    before = {name: tensor.clone() for name, tensor in fit.writer.state_dict().items()}
    asked.estimate(space(), aw.Trial(architecture(1)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in fit.writer.state_dict().items())
    assert asked.estimate(space(), aw.Trial(architecture(0))).metrics["valid_loss"] == first.metrics["valid_loss"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_manifest_makes_it_again(kind):
    made = estimator(aw.tasks.digits(), kind)
    assert describe(rebuild("estimators", describe(made))) == describe(made)


def test_a_gradient_strategy_finds_no_open_network_here():
    with pytest.raises(ArchwrightError, match="needs an estimator that shares weights"):
        aw.search(space(), aw.strategies.DARTS(), estimator(), objectives="valid_accuracy")


def test_a_network_that_does_not_fit_the_task_is_said():
    class Users(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = torch.nn.Linear(36, width)

        def forward(self, x):
            return self.layer(x.flatten(1))

    own = aw.Space(Users, width=aw.Choice(3, 4))
    with pytest.raises(ArchwrightError, match="but the task needs"):
        estimator().estimate(own, aw.Trial(sample(own, Streams(0)[0])))


def test_mistakes_are_said():
    with pytest.raises(ArchwrightError, match="Hypernetwork needs at least 1 epoch"):
        estimator(epochs=0)
    with pytest.raises(ArchwrightError, match="latency_ms can't be measured by Hypernetwork"):
        estimator(costs=(aw.Latency(),))


@pytest.mark.parametrize("kind", WRITERS)
def test_networks_may_compute_in_bfloat16(kind):
    asked = estimator(kind=kind, shared=replace(ADAM, precision="bfloat16"))
    answer = asked.estimate(space(), aw.Trial(architecture()))
    assert answer.metrics["epochs"] == 2.0
    fit, *_ = asked._trained(space(), 0)
    exact = fit.writer.weights(architecture())
    with torch.autocast("cpu", torch.bfloat16):
        written = fit.writer.weights(architecture())
    assert all(torch.equal(written[name], tensor) for name, tensor in exact.items())
