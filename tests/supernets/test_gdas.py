from collections import Counter

import pytest
import torch

import archwright as aw
from archwright.strategies import GDAS
from archwright.supernets import OpenNetwork
from archwright.supernets.bilevel import first_order
from tests.supernets.small import Reads, chain, chances, opened, slopes, spread_out, step_of, total


def relaxed(temperature=2.0, length=2):
    network = opened(chain(length))
    relaxation = spread_out(GDAS().relax(network))
    relaxation.temperature = temperature
    return relaxation, step_of(network)


def softened(row, noise, temperature):
    """Equation 3 of the paper, with plain numbers."""
    total = sum(torch.exp(logit) for logit in row)
    powers = [torch.exp((torch.log(torch.exp(logit) / total) + o) / temperature) for logit, o in zip(row, noise)]  # noqa: B905
    return torch.stack([power / sum(powers) for power in powers])


def test_one_candidate_of_each_choice_takes_part_with_weight_one():
    relaxation, _ = relaxed()
    for weights in relaxation.weights().values():
        ((_, weight),) = weights.items()
        assert float(weight.detach()) == 1.0
        assert weight.requires_grad


def test_the_gradient_is_straight_through():
    """dL/d alpha_j = dL/dw * dh_k/d alpha_j: the first by finite differences, the second from equation 3."""
    relaxation, step = relaxed()
    torch.manual_seed(3)
    made = first_order(relaxation, step)

    torch.manual_seed(3)
    noises = [-torch.empty_like(row).exponential_().log() for row in relaxation.logits]
    rows = [row.detach() for row in relaxation.logits]
    soft = [softened(row, noise, 2.0) for row, noise in zip(rows, noises, strict=True)]
    chosen = [int(h.argmax()) for h in soft]
    for place, (name, h, k) in enumerate(zip(relaxation.names, soft, chosen, strict=True)):
        losses = []
        for difference in (1e-5, -1e-5):
            weights = dict(zip(relaxation.names, ({option: 1.0} for option in chosen), strict=True))
            weights[name] = {k: 1.0 + difference}
            step.network.mix(weights)
            losses.append(float(step.loss(step.valid).detach()))
        slope = (losses[0] - losses[1]) / 2e-5
        wanted = [slope * float(h[k]) * ((j == k) - float(h[j])) / 2.0 for j in range(3)]
        torch.testing.assert_close(made[place], torch.tensor(wanted, dtype=torch.float64), rtol=1e-6, atol=1e-9)


def test_candidates_are_drawn_by_their_probabilities_whatever_the_temperature():
    relaxation, _ = relaxed(temperature=7.0, length=1)
    torch.manual_seed(0)
    count = 4000
    for drawn in (
        [next(iter(relaxation.weights()["ops[0]"])) for _ in range(count)],
        [next(iter(relaxation.path()["ops[0]"])) for _ in range(count)],
    ):
        for option, p in enumerate(relaxation.probabilities()["ops[0]"].tolist()):
            assert abs(drawn.count(option) / count - p) < 4 * (p * (1 - p) / count) ** 0.5


def test_only_what_was_drawn_is_computed():
    relaxation, step = relaxed()
    ran = []
    for mixed in step.network.mixed:
        for candidate in mixed.candidates:
            candidate.register_forward_hook(lambda *_: ran.append(1))
    relaxation.learn(step)
    assert len(ran) == 2
    for _ in relaxation.draws():
        assert all(list(choice.weights.values()) == [1.0] for choice in step.network.choices.values())
        step.loss(step.train)
    assert len(ran) == 4


def test_the_temperature_falls_in_equal_steps_to_the_last_epoch():
    relaxation, _ = relaxed()
    seen = []
    for epoch in range(4):
        relaxation.begin(epoch, 4)
        seen.append(relaxation.temperature)
    assert seen == pytest.approx([10.0, 6.7, 3.4, 0.1])


def test_the_score_is_that_of_the_likeliest_architecture():
    relaxation, step = relaxed()
    relaxation.settle()
    made = step.network(step.valid[0])
    torch.testing.assert_close(made, step.network.standalone(relaxation.architecture())(step.valid[0]))


def test_all_choices_are_drawn_before_any_is_read():
    relaxation, _ = relaxed()
    with Reads() as reads:
        relaxation.weights()
    assert reads.count == 0  # `tolist` reads them all at once


def summed(size, temperature=2.0):
    network = opened(total(size))
    relaxation = spread_out(GDAS().relax(network))
    relaxation.temperature = temperature
    return relaxation, step_of(network)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_of_a_subset_as_many_take_part_as_it_takes(size):
    relaxation, step = summed(size)
    wanted = chances(relaxation.probabilities()["reads"].tolist(), size)
    torch.manual_seed(0)
    count = 3000
    drawn = {"weights": Counter(), "draws": Counter()}
    for _ in range(count):
        weights = relaxation.weights()["reads"]
        assert [float(weight.detach()) for weight in weights.values()] == [1.0] * size
        drawn["weights"][frozenset(weights)] += 1
        for _ in relaxation.draws():
            weights = step.network.choices["reads"].weights
            assert list(weights.values()) == [1.0] * size
            drawn["draws"][frozenset(weights)] += 1
    for counts in drawn.values():
        for items, p in wanted.items():
            assert abs(counts[items] / count - p) <= 4 * (p * (1 - min(p, 1)) / count) ** 0.5 + 1e-9


def test_what_a_subset_learns_is_straight_through():
    """The gradient of the sum of slope_i h_i, where h is softmax after softmax, written out with plain numbers."""
    relaxation, step = summed(2)
    torch.manual_seed(3)
    (made,) = first_order(relaxation, step)
    torch.manual_seed(3)
    noise = -torch.empty_like(relaxation.logits[0]).exponential_().log()
    row = relaxation.logits[0].detach().clone().requires_grad_()
    first = softened(row, noise, 2.0)
    powers = [torch.exp((logit + o) / 2) * (1 - h) ** 0.5 for logit, o, h in zip(row, noise, first, strict=True)]
    taken = (row.detach() + noise).argsort()[-2:].tolist()
    steep = slopes(step, "reads", dict.fromkeys(taken, 1.0))
    sum(steep[item] * (first[item] + powers[item] / sum(powers)) for item in taken).backward()
    torch.testing.assert_close(made, row.grad, rtol=1e-6, atol=1e-9)
    assert (made[taken].abs() > 1e-6).all()


def test_in_the_last_epoch_a_subset_still_learns():
    relaxation, step = summed(3, temperature=0.1)
    for seed in range(20):
        torch.manual_seed(seed)
        (made,) = first_order(relaxation, step)
        assert torch.isfinite(made).all()
    before = relaxation.logits[0].detach().clone()
    relaxation.learn(step)
    assert not torch.equal(before, relaxation.logits[0])


@pytest.mark.parametrize("make", [aw.spaces.nasbench1shot1, aw.spaces.maskconnect])
@pytest.mark.parametrize("strategy", [GDAS(), aw.strategies.ProxylessNAS()])
def test_what_is_trained_is_an_architecture_of_the_space(make, strategy):
    torch.manual_seed(0)
    network = OpenNetwork(make(channels=2), aw.Signature((1, 8, 8), 2))
    relaxation = strategy.relax(network)
    for sets in (lambda: next(relaxation.draws()), relaxation.apply_weights):
        sets()
        for choice in network.choices.values():
            if choice.is_subset:
                assert (
                    sum(float(torch.as_tensor(weight).detach()) > 0 for weight in choice.weights.values())
                    == choice.choice.size
                )


def test_a_subset_that_may_be_left_out_is_left_out_as_a_whole():
    items = ({"inner": aw.Subset(2, *range(3))} for _ in range(2))
    network = opened(aw.Space(lambda outer: torch.nn.Identity(), outer=aw.Subset(1, *items)))
    relaxation = spread_out(GDAS().relax(network))
    with torch.no_grad():
        relaxation.logits[0][3] = 1.0
    torch.manual_seed(0)
    drawn = Counter(tuple(sorted(relaxation.path()["outer[0].inner"])) for _ in range(2000))
    assert set(drawn) == {(0, 1), (0, 2), (1, 2), (3,)}
    left_out = float(relaxation.probabilities()["outer[0].inner"][3].detach())
    assert drawn[(3,)] / 2000 == pytest.approx(left_out, abs=0.045)  # 4 standard deviations
