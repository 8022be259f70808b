import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Subset
from archwright.core.rng import Streams
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.strategies.decisions import decisions
from archwright.strategies.enas import ENAS
from archwright.strategies.models.shared_policy import LimitedController
from archwright.supernets import Judge, OpenNetwork, Step
from archwright.tasks.task import Split, Splits, Task

SIGNATURE = aw.Signature((4,), 2)


class Part(nn.Module):
    """Lets some of the inputs through: the first `shown`."""

    def __init__(self, shown):
        super().__init__()
        self.shown = shown
        self.weight = nn.Parameter(torch.eye(4, 2))

    def forward(self, x):
        return x[:, : self.shown] @ self.weight[: self.shown]


class Toy(nn.Module):
    def __init__(self, signature, op, **_):
        super().__init__()
        self.op = op()

    def forward(self, x):
        return self.op(x)


def blind():
    return Part(0)


def seeing():
    return Part(2)


def toy(**more):
    return OpenNetwork(Space(Toy, op=Choice(blind, seeing), **more), SIGNATURE)


def judge_of(network, seed=0, examples=40):
    """Batches whose class is the larger of the first two numbers: who sees them is always right."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)

    def loss(batch):
        return nn.functional.cross_entropy(network(batch[0]), batch[1])

    def step():
        inputs = torch.randn(examples, 4, generator=generator)
        batch = (inputs, inputs[:, :2].argmax(1))
        return Step(network, loss, batch, batch, optimizer)

    return Judge(lambda: 0.0, lambda rate: None, step)


def test_the_better_candidate_becomes_the_likelier():
    torch.manual_seed(0)
    network = toy(other=Choice("a", "b"))
    policy, judge = ENAS(learning_rate=0.02).relax(network), judge_of(network)
    begun = float(policy.probabilities()["op"][1])
    for _ in range(2):
        policy.finish_epoch(judge)
    row = policy.probabilities()["op"]
    assert float(row.sum()) == pytest.approx(1.0)
    assert begun < 0.6
    assert float(row[1]) > begun + 0.1
    assert policy.architecture()["op"] == policy.select(judge)["op"] == 1  # the best of 10 samples
    policy.settle()
    assert network.choices["op"].weights == {1: 1.0}


def test_rewards_are_accuracies_on_the_validation_batch():
    network = toy()
    policy, step = ENAS().relax(network), judge_of(network).step()
    inputs, targets = step.valid
    assert policy.reward(Architecture((("op", 1),)), step) == 1.0
    assert policy.reward(Architecture((("op", 0),)), step) == float((targets == 0).double().mean())
    numbers = replace(
        step, valid=(inputs, torch.zeros(40, 2)), plain_loss=lambda batch: network(batch[0]).square().mean()
    )
    expected = -float(inputs[:, :2].square().mean())
    assert policy.reward(Architecture((("op", 1),)), numbers) == pytest.approx(expected)


def test_a_step_is_reinforce_with_a_moving_baseline():
    """The gradient in central differences of sum_i (R_i - b_i) log P_i / n, with b_i worked out by hand."""
    torch.manual_seed(0)
    network = toy(other=Choice("a", "b", "c"))
    policy = ENAS(decay=0.9, entropy=0.0).relax(network)
    controller = policy.controller
    named = [Architecture((("op", op), ("other", other))) for op, other in ((0, 2), (1, 1), (1, 0))]
    rewards = [0.5, 0.9, 0.1]
    baselines = [0.5, 0.5, 0.9 * 0.5 + 0.1 * 0.9]
    taken = [decisions(network.space, architecture) for architecture in named]

    def objective():
        with torch.no_grad():
            logs = controller(taken)[0].tolist()
        return sum((r - b) * log for r, b, log in zip(rewards, baselines, logs, strict=True)) / 3

    flat, expected = controller.softmax.bias, []
    for index in range(len(flat)):
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                flat[index] += sign * 1e-5
                sides.append(objective())
                flat[index] -= sign * 1e-5
        expected.append((sides[0] - sides[1]) / 2e-5)
    policy.reinforce(named, rewards)
    assert torch.allclose(-flat.grad, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-8)
    assert float(policy.baseline) == pytest.approx(0.9 * baselines[2] + 0.1 * 0.1)
    policy.reinforce(named[:1], [0.5])
    assert float(policy.baseline) == pytest.approx(0.9 * (0.9 * baselines[2] + 0.1 * 0.1) + 0.1 * 0.5)


def test_entropy_is_part_of_the_reward():
    network = toy()
    policy = ENAS(entropy=2.0).relax(network)
    nn.init.zeros_(policy.controller.softmax.weight)
    nn.init.zeros_(policy.controller.softmax.bias)
    policy.reinforce([Architecture((("op", 0),))], [0.25])
    assert float(policy.baseline) == pytest.approx(0.25 + 2.0 * math.log(2))


def test_no_option_becomes_certain():
    space = Space(Toy, op=Choice(blind, seeing), other=Choice("a", "b"))
    controller = LimitedController(space, hidden=8, limit=1.1, op_limit=0.44)
    nn.init.zeros_(controller.softmax.weight)
    with torch.no_grad():
        controller.softmax.bias.copy_(torch.tensor([-1e3, 1e3, -1e3, 1e3]))
    log, _ = controller([decisions(space, Architecture((("op", 0), ("other", 0))))])
    expected = math.log(1 / (1 + math.exp(2 * 0.44))) + math.log(1 / (1 + math.exp(2 * 1.1)))
    assert log.item() == pytest.approx(expected)


def test_connections_are_drawn_to_their_target():
    """KL of (absent, present) from (0.6, 0.4): summed over a layer's connections, averaged over layers."""
    flag = partial(Choice, False, True)
    space = Space(Toy, op=Choice(blind, seeing), layers=[{"skips": [flag()]}, {"skips": [flag(), flag()]}])
    controller = LimitedController(space, hidden=8, limit=1.5, op_limit=1.5)
    nn.init.zeros_(controller.softmax.weight)
    row = controller._row["layers[0].skips[0]"]  # the options' rows are those of all places of this kind
    with torch.no_grad():
        controller.softmax.bias[row : row + 2] = torch.tensor([0.3, -0.4])
    absent, present = math.exp(1.5 * math.tanh(0.3)), math.exp(1.5 * math.tanh(-0.4))
    absent, present = absent / (absent + present), present / (absent + present)
    divergence = absent * math.log(absent / 0.6) + present * math.log(present / 0.4)
    named = [sample(space, Streams(0)[number]) for number in range(4)]
    taken = [decisions(space, architecture) for architecture in named]
    assert controller.excess(taken, 0.4).item() == pytest.approx((1 + 2) / 2 * divergence)
    without = LimitedController(Space(Toy, op=Choice(blind, seeing)), hidden=8, limit=1.5, op_limit=1.5)
    assert without.excess(taken, 0.4).item() == 0.0


def test_probabilities_have_a_row_for_each_choice_and_none_for_taking_no_part():
    items = ({"number": number, "op": Choice(blind, seeing)} for number in range(3))
    network = OpenNetwork(Space(Toy, op=Choice(blind, seeing), inputs=Subset(1, *items), n=Integer(2, 4)), SIGNATURE)
    rows = ENAS().relax(network).probabilities()
    assert {name: len(row) for name, row in rows.items()} == {
        "op": 2,
        "n": 3,
        **{f"inputs[{number}].op": 3 for number in range(3)},
    }
    assert all(float(row.sum()) == pytest.approx(1.0) for row in rows.values())
    apart = [float(rows[f"inputs[{number}].op"][2]) for number in range(3)]
    assert sum(apart) == pytest.approx(2.0)  # one of three takes part


def test_it_continues_from_its_state_bit_for_bit(tmp_path):
    def epochs(policy, judge, numbers):
        for number in numbers:
            torch.manual_seed(number)
            policy.finish_epoch(judge)

    given = ENAS(steps=3, samples=2)
    whole = given.relax(network := toy())
    epochs(whole, judge_of(network, seed=1), [0])
    torch.save(whole.state(), tmp_path / "state.pt")
    epochs(whole, judge_of(network, seed=2), [1])
    again = given.relax(network := toy())
    again.load_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.architecture() == Architecture.from_json(torch.load(tmp_path / "state.pt")["best"])
    epochs(again, judge_of(network, seed=2), [1])
    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert whole.architecture() == again.architecture()


def test_it_stays_on_the_cpu_in_float64():
    policy = ENAS().relax(toy()).to("meta")
    assert {(tensor.device.type, tensor.dtype) for tensor in policy.parameters()} == {("cpu", torch.float64)}


def test_a_search_end_to_end():
    """Weights and controller in turn; each epoch is the evaluation of the architecture that stands for it."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(40) % 2
    split = Split(torch.randn(40, 1, 6, 6, generator=generator) + targets[:, None, None, None], targets)
    task = Task("tiny", lambda: Splits(split, split, split, ("low", "high")))
    strategy = ENAS(steps=2, samples=2, candidates=3, hidden=8)
    estimator = aw.estimators.WeightSharing(task, epochs=2, device="cpu")
    run = aw.search(aw.spaces.nasbench201(cells=1, channels=2), strategy, estimator, objectives="valid_accuracy")
    done = list(run)
    assert [evaluation.trial.fidelity for evaluation in done] == [0.5, 1.0]
    assert all(0.0 <= evaluation.metrics["valid_accuracy"] <= 1.0 for evaluation in done)


def test_rewards_are_computed_as_in_the_steps_of_the_weights():
    network = toy()
    step = replace(judge_of(network).step(), precision=partial(torch.autocast, "cpu", torch.bfloat16))
    shortened = []
    network.register_forward_pre_hook(lambda *_: shortened.append(torch.is_autocast_enabled("cpu")))
    policy = ENAS().relax(network)
    policy.reward(Architecture((("op", 1),)), step)
    policy.reward(Architecture((("op", 1),)), replace(step, valid=(step.valid[0], torch.zeros(40, 2))))
    assert shortened == [True, True]
