from collections import Counter

import pytest
import torch

from archwright.strategies import SNAS
from archwright.supernets.bilevel import single_level
from tests.supernets.small import chain, chances, opened, spread_out, step_of, total


class Entropy:
    def over(self, network):
        return lambda probabilities: sum(-(row * row.log()).sum() for row in probabilities.values())


def relaxed(**settings):
    network = opened(chain())
    relaxation = spread_out(SNAS(**settings).relax(network))
    relaxation.temperature = 0.7
    return relaxation, step_of(network)


def test_weights_are_those_of_the_concrete_distribution():
    """Equation 4: alpha^(1/lambda) * exp(G/lambda), normalised, where alpha are the probabilities."""
    relaxation, _ = relaxed()
    torch.manual_seed(2)
    made = relaxation.weights()
    torch.manual_seed(2)
    for name, p in relaxation.probabilities().items():
        noise = -torch.log(torch.empty_like(p).exponential_())
        powers = [float(a) ** (1 / 0.7) * float(torch.exp(g / 0.7)) for a, g in zip(p.detach(), noise, strict=True)]
        wanted = [power / sum(powers) for power in powers]
        assert made[name].tolist() == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("penalty", [None, Entropy()])
def test_one_backward_pass_gives_both_gradients(penalty):
    """The weights' gradients are those of the loss at the draw; the logits', what they would be asked by themselves."""
    relaxation, step = relaxed(penalty=penalty)
    relaxation.learn(step)
    before = [row.detach().clone() for row in relaxation.logits]
    torch.manual_seed(4)
    wanted = single_level(relaxation, step)
    torch.manual_seed(4)
    with torch.no_grad():
        drawn = relaxation.weights()
    step.network.mix(drawn)
    by_weights = torch.autograd.grad(step.loss(step.train), list(step.network.parameters()))

    assert all(map(torch.equal, relaxation.logits, before))  # learn left them alone
    torch.manual_seed(4)
    for _ in relaxation.draws():
        step.loss(step.train).backward()
        assert all(map(torch.equal, relaxation.logits, before))
    for row, gradient in zip(relaxation.logits, wanted, strict=True):
        torch.testing.assert_close(row.grad, gradient, rtol=1e-12, atol=1e-14)
    for parameter, gradient in zip(step.network.parameters(), by_weights, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-14)
    for row, old, gradient in zip(relaxation.logits, before, wanted, strict=True):
        # Adam's first step, by its formula: the learning rate in the direction of gradient + decay
        direction = gradient + 1e-3 * old
        torch.testing.assert_close(row, old - 3e-4 * direction / (direction.abs() + 1e-8), rtol=1e-9, atol=1e-12)


def test_gradients_do_not_add_up_over_steps():
    relaxation, step = relaxed()
    for _ in range(2):
        torch.manual_seed(4)
        for _ in relaxation.draws():
            step.network.zero_grad()
            step.loss(step.train).backward()
    made = [row.grad.clone() for row in relaxation.logits]
    torch.manual_seed(4)
    for row, wanted in zip(made, single_level(relaxation, step), strict=True):
        torch.testing.assert_close(row, wanted, rtol=1e-2, atol=1e-4)  # one step of 3e-4 apart; a sum would be twice it


def test_at_a_low_temperature_a_draw_is_one_candidate_by_its_probability():
    relaxation, _ = relaxed()
    relaxation.begin(149, 150)
    assert relaxation.temperature == pytest.approx(0.03)
    torch.manual_seed(0)
    draws = torch.stack([relaxation.weights()["ops[0]"].detach() for _ in range(2000)])
    p = relaxation.probabilities()["ops[0]"].detach()
    assert draws.max(1).values.mean() > 0.97
    assert torch.all((draws.mean(0) - p).abs() < 4 * (p * (1 - p) / 2000).sqrt() + 0.005)


def test_the_score_is_that_of_the_child():
    relaxation, step = relaxed()
    relaxation.settle()
    made = step.network(step.valid[0])
    torch.testing.assert_close(made, step.network.standalone(relaxation.architecture())(step.valid[0]))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_of_a_subset_as_many_take_part_as_it_takes(size):
    """In sum always; at a low temperature as in the child, and drawn as one after the other without replacement."""
    relaxation = spread_out(SNAS().relax(opened(total(size))))
    torch.manual_seed(0)
    assert float(relaxation.weights()["reads"].detach().sum()) == pytest.approx(size)
    relaxation.temperature = 1e-4
    wanted = chances(relaxation.probabilities()["reads"].tolist(), size)
    drawn = Counter()
    for _ in range(2000):
        row = relaxation.weights()["reads"].detach()
        drawn[frozenset((row > 0.5).nonzero().flatten().tolist())] += 1
    for items, p in wanted.items():
        assert abs(drawn[items] / 2000 - p) <= 4 * (p * (1 - min(p, 1)) / 2000) ** 0.5 + 0.002


def test_gradients_of_a_subset_are_finite_and_reach_all_its_items():
    relaxation = spread_out(SNAS().relax(network := opened(total(3))))
    step = step_of(network)
    for temperature in (1.0, 0.03):
        relaxation.temperature = temperature
        for seed in range(10):
            torch.manual_seed(seed)
            (made,) = single_level(relaxation, step)
            assert torch.isfinite(made).all()
            if temperature == 1.0:
                assert (made.abs() > 1e-9).all()
