import math

import numpy as np
import pytest
import torch

from archwright.core.choices import Choice, Integer, Repeat
from archwright.spaces.operators import enumerate_all, sample
from archwright.spaces.space import Space
from archwright.strategies.decisions import decisions
from archwright.strategies.models.controller import Controller
from archwright.testing import spaces_to_survive


def made(**arguments):
    return arguments


def conditional():
    act = Choice("relu", "gelu")
    return Space(
        made,
        kind=Choice({"kernel": Choice(1, 3, 5), "act": act}, {"size": Integer(2, 4)}, "skip"),
        layers=Repeat({"width": Choice(8, 16), "act": act}, times=Integer(0, 2)),
    )


@pytest.fixture(scope="module")
def opinionated():
    space = conditional()
    everything = [decisions(space, architecture) for architecture in enumerate_all(space)]
    return space, Controller(space, hidden=7, spread=1.0), everything


def test_probabilities_of_a_conditional_space_sum_to_one(opinionated):
    _, controller, everything = opinionated
    logs, _ = controller(everything)
    assert logs.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    assert logs.exp().max() > 3 * logs.exp().min()


def test_entropies_along_the_walks_add_up_to_the_entropy_of_the_whole(opinionated):
    _, controller, everything = opinionated
    logs, entropies = controller(everything)
    probabilities = logs.exp()
    assert (probabilities * entropies).sum().item() == pytest.approx(-(probabilities * logs).sum().item(), abs=1e-12)


def test_a_batch_is_its_parts(opinionated):
    _, controller, everything = opinionated
    together = controller(everything[:9])
    for index, sequence in enumerate(everything[:9]):
        for whole, alone in zip(together, controller([sequence]), strict=True):
            assert whole[index].item() == pytest.approx(alone[0].item(), abs=1e-12)


def test_draws_follow_the_probabilities(opinionated):
    space, controller, everything = opinionated
    logs, _ = controller(everything)
    rng, count = np.random.default_rng(0), 1500
    seen = [decisions(space, controller.sample(space, rng)) for _ in range(count)]
    for sequence, log in zip(everything, logs.tolist(), strict=True):
        expected = count * math.exp(log)
        assert abs(seen.count(sequence) - expected) < 4.5 * math.sqrt(expected) + 1


def test_gradient_of_the_log_probability_by_finite_differences(opinionated):
    _, controller, everything = opinionated
    rng = np.random.default_rng(0)
    for sequence in (everything[0], everything[-1], everything[17]):
        controller.zero_grad()
        controller([sequence])[0].sum().backward()
        for weights in controller.parameters():
            for place in rng.integers(weights.numel(), size=4).tolist():
                flat = weights.data.view(-1)
                before, ends = flat[place].item(), []
                for step in (1e-5, -1e-5):
                    flat[place] = before + step
                    ends.append(controller([sequence])[0].item())
                flat[place] = before
                assert weights.grad.view(-1)[place].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


def test_begins_with_the_weights_of_the_paper_whatever_the_global_generator():
    before = torch.random.get_rng_state()
    space = spaces_to_survive()["conditional"]
    one = Controller(space)
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.lstm.num_layers == 2
    assert one.lstm.hidden_size == 35
    for left, right in zip(one.parameters(), Controller(space).parameters(), strict=True):
        assert torch.equal(left, right)
        assert left.abs().max() <= 0.08


def test_repetitions_share_the_softmax_and_yet_differ():
    space = Space(made, layers=[Choice(1, 2, 3) for _ in range(4)])
    controller = Controller(space, spread=1.0)
    assert controller.softmax.out_features == 3
    architecture = sample(space, np.random.default_rng(0))
    assert len(decisions(space, architecture)) == 4


def test_a_space_with_nothing_to_decide():
    space = Space(made, fixed=3)
    controller = Controller(space)
    architecture = controller.sample(space, np.random.default_rng(0))
    logs, entropies = controller([decisions(space, architecture)] * 2)
    assert logs.tolist() == entropies.tolist() == [0.0, 0.0]
    (logs.sum() + entropies.sum()).backward()
