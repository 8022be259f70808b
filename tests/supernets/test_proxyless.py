from collections import Counter
from itertools import permutations

import pytest
import torch

from archwright.core.errors import ArchwrightError
from archwright.strategies import ProxylessNAS
from archwright.supernets.bilevel import first_order
from tests.supernets.small import (
    Reads,
    chain,
    chances,
    hand_on,
    layer,
    opened,
    slopes,
    spread_out,
    step_of,
    total,
    wave,
)

OPTIONS = (hand_on, layer, wave)


class Linear:
    """sum_i p_i c_i with c = 1, 2, 3, of every choice."""

    def over(self, network):
        return lambda probabilities: sum(row @ torch.arange(1.0, 4.0).double() for row in probabilities.values())


def relaxed(length=1, options=OPTIONS, **settings):
    network = opened(chain(length, options=options))
    return spread_out(ProxylessNAS(**settings).relax(network)), step_of(network)


def gate_slopes(step, active):
    """dL/dg_j for each candidate of the only op, by finite differences round the gates where `active` is open."""
    slopes = []
    for option in range(len(step.network.mixed[0].candidates)):
        losses = []
        for difference in (1e-5, -1e-5):
            gates = {place: float(place == active) for place in range(len(step.network.mixed[0].candidates))}
            gates[option] += difference
            step.network.mix({"ops[0]": gates})
            losses.append(float(step.loss(step.valid).detach()))
        slopes.append((losses[0] - losses[1]) / 2e-5)
    return slopes


def equation_4(slopes, p):
    """dL/d alpha_i = sum_j dL/dg_j p_j (delta_ij - p_i), in loops; p by candidate, for those that take part."""
    return {i: sum(slopes[j] * p[j] * ((i == j) - p[i]) for j in p) for i in p}


def drawn(relaxation):
    """The two candidates of the last draw, the open one first."""
    weights = relaxation.network.choices["ops[0]"].weights
    return tuple(sorted(weights, key=lambda option: -float(weights[option].detach())))


def probability_of(pair, p):
    """That these two are drawn without replacement, in either order, and then the first of them opened."""
    a, b = pair
    return (p[a] * p[b] / (1 - p[a]) + p[b] * p[a] / (1 - p[b])) * p[a] / (p[a] + p[b])


def test_the_gradient_of_each_pair_is_equation_4_for_the_two():
    relaxation, step = relaxed()
    p = relaxation.probabilities()["ops[0]"].tolist()
    seen = set()
    for seed in range(40):
        torch.manual_seed(seed)
        (made,) = first_order(relaxation, step)
        pair = drawn(relaxation)
        seen.add(pair)
        own = {option: p[option] / sum(p[other] for other in pair) for option in pair}
        wanted = equation_4(gate_slopes(step, pair[0]), own)
        assert made.tolist() == pytest.approx([wanted.get(option, 0.0) for option in range(3)], rel=1e-6, abs=1e-9)
    assert seen == set(permutations(range(3), 2))


def test_pairs_come_by_their_probabilities():
    relaxation, _ = relaxed()
    p = relaxation.probabilities()["ops[0]"].tolist()
    torch.manual_seed(0)
    count = 4000
    counts = Counter()
    for _ in range(count):
        relaxation.apply_weights()
        counts[drawn(relaxation)] += 1
    for pair in permutations(range(3), 2):
        share = probability_of(pair, p)
        assert abs(counts[pair] / count - share) < 4 * (share * (1 - share) / count) ** 0.5


def test_the_mean_over_draws_is_the_expectation_over_pairs():
    relaxation, step = relaxed()
    p = relaxation.probabilities()["ops[0]"].tolist()
    wanted = torch.zeros(3, dtype=torch.float64)
    for pair in permutations(range(3), 2):
        own = {option: p[option] / sum(p[other] for other in pair) for option in pair}
        for option, value in equation_4(gate_slopes(step, pair[0]), own).items():
            wanted[option] += probability_of(pair, p) * value
    torch.manual_seed(0)
    draws = torch.stack([first_order(relaxation, step)[0] for _ in range(1500)])
    assert torch.all((draws.mean(0) - wanted).abs() < 4 * draws.std(0) / 1500**0.5)
    assert wanted.abs().max() > 8 * (draws.std(0) / 1500**0.5).max()  # the mean is told from zero


def test_of_two_candidates_the_gradient_is_exactly_equation_4():
    relaxation, step = relaxed(options=OPTIONS[:2])
    p = dict(enumerate(relaxation.probabilities()["ops[0]"].tolist()))
    for seed in range(6):
        torch.manual_seed(seed)
        (made,) = first_order(relaxation, step)
        wanted = equation_4(gate_slopes(step, drawn(relaxation)[0]), p)
        assert made.tolist() == pytest.approx(list(wanted.values()), rel=1e-6, abs=1e-9)


def test_after_a_step_the_other_probabilities_are_what_they_were():
    relaxation, step = relaxed(length=3, learning_rate=0.5, warmup=0.0, every=1)
    relaxation.begin(0, 10)
    before = {name: row.detach() for name, row in relaxation.probabilities().items()}
    relaxation.learn(step)
    for name, row in relaxation.probabilities().items():
        row = row.detach()
        pair = sorted(step.network.choices[name].weights)
        (other,) = {0, 1, 2} - set(pair)
        assert float(row[other]) == pytest.approx(float(before[name][other]), rel=1e-12)
        assert abs(float(row[pair[0]] - before[name][pair[0]])) > 0.01


def test_the_architecture_learns_every_fifth_step_after_the_warm_up():
    relaxation, step = relaxed()
    changed = []
    for epoch in range(4):
        relaxation.begin(epoch, 4)
        for number in range(1, 12):
            before = relaxation.logits[0].detach().clone()
            relaxation.learn(step)
            if not torch.equal(before, relaxation.logits[0]):
                changed.append((epoch, number))
    every_fifth = [(1, 4), (1, 9), (2, 3), (2, 8), (3, 2), (3, 7)]  # steps 15, 20, ... 40 of 44
    assert changed == every_fifth


def test_weights_learn_on_one_path():
    relaxation, step = relaxed(length=2)
    for _ in relaxation.draws():
        assert all(list(choice.weights.values()) == [1.0] for choice in step.network.choices.values())


def test_the_penalty_is_expected_over_the_two():
    relaxation, _ = relaxed(penalty=Linear())
    torch.manual_seed(1)
    relaxation.apply_weights()
    pair = drawn(relaxation)
    p = relaxation.probabilities()["ops[0]"].tolist()
    own = {option: p[option] / sum(p[other] for other in pair) for option in pair}
    cost = relaxation.cost()
    assert float(cost.detach()) == pytest.approx(sum(own[option] * (option + 1) for option in pair))
    (gradient,) = torch.autograd.grad(cost, list(relaxation.logits))
    wanted = equation_4([1.0, 2.0, 3.0], own)
    assert gradient.tolist() == pytest.approx([wanted.get(option, 0.0) for option in range(3)])


@pytest.mark.parametrize("settings", [{"warmup": 1.0}, {"warmup": -0.1}, {"every": 0}])
def test_settings_that_would_never_learn_are_refused(settings):
    with pytest.raises(ArchwrightError):
        ProxylessNAS(**settings)


def test_the_open_one_is_drawn_as_by_multinomial():
    relaxation, _ = relaxed(length=3)
    for seed in range(40):
        torch.manual_seed(seed)
        wanted = {}
        for name, row in zip(relaxation.names, relaxation.logits, strict=True):
            row = row.detach()
            pair = (row - torch.empty_like(row).exponential_().log()).topk(2).indices
            wanted[name] = int(pair[torch.multinomial(torch.softmax(row[pair], 0), 1)])
        torch.manual_seed(seed)
        for name, weights in relaxation.weights().items():
            assert {option: float(weight.detach()) for option, weight in weights.items()}[wanted[name]] == 1.0
            assert sorted(float(weight.detach()) for weight in weights.values()) == [0.0, 1.0]


def test_all_choices_are_drawn_before_any_is_read():
    relaxation, _ = relaxed(length=3)
    with Reads() as reads:
        relaxation.weights()
    assert reads.count == 0  # `tolist` reads them all at once


def test_a_choice_of_one_is_open():
    relaxation, _ = relaxed(options=OPTIONS[1:2])
    ((option, weight),) = relaxation.weights()["ops[0]"].items()
    assert (option, float(weight.detach())) == (0, 1.0)


def summed(size, **settings):
    network = opened(total(size))
    return spread_out(ProxylessNAS(**settings).relax(network)), step_of(network)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_of_a_subset_as_many_are_open_as_it_takes(size):
    relaxation, step = summed(size)
    wanted = chances(relaxation.probabilities()["reads"].tolist(), size)
    torch.manual_seed(0)
    count = 2000
    drawn = Counter()
    for _ in range(count):
        weights = relaxation.weights()["reads"]
        assert [float(weight.detach()) for weight in weights.values()] == [1.0] * size
        drawn[frozenset(weights)] += 1
    for items, p in wanted.items():
        assert abs(drawn[items] / count - p) <= 4 * (p * (1 - min(p, 1)) / count) ** 0.5 + 1e-9
    for _ in relaxation.draws():
        assert list(step.network.choices["reads"].weights.values()) == [1.0] * size


def test_a_subset_learns_by_equation_4_for_its_open_gates():
    relaxation, step = summed(2)
    p = dict(enumerate(relaxation.probabilities()["reads"].tolist()))
    for seed in range(6):
        torch.manual_seed(seed)
        (made,) = first_order(relaxation, step)
        taken = dict.fromkeys(step.network.choices["reads"].weights, 1.0)
        steep = dict.fromkeys(range(4), 0.0) | slopes(step, "reads", taken)
        wanted = equation_4(steep, p)
        assert made.tolist() == pytest.approx([wanted[option] for option in range(4)], rel=1e-6, abs=1e-9)


def test_a_subset_of_one_is_drawn_in_pairs():
    relaxation, _ = summed(1)
    gates = [float(weight.detach()) for weight in relaxation.weights()["reads"].values()]
    assert gates == [1.0, 0.0]


def test_a_subsets_step_is_adams_alone_and_its_penalty_that_of_the_row():
    class First:
        def over(self, network):
            return lambda probabilities: probabilities["reads"] @ torch.tensor([1.0, 0, 0, 0]).double()

    relaxation, step = summed(2, learning_rate=0.5, every=1, warmup=0.0, penalty=First())
    relaxation.begin(0, 10)
    before = relaxation.logits[0].detach().clone()
    p = torch.softmax(before, 0)
    torch.manual_seed(0)
    relaxation.learn(step)
    assert float(relaxation.cost().detach()) == pytest.approx(float(torch.softmax(relaxation.logits[0], 0)[0].detach()))
    assert p[0] != torch.softmax(relaxation.logits[0], 0)[0]
    moved = relaxation.logits[0].detach() - before  # Adam's first step: the learning rate, up or down
    torch.testing.assert_close(moved.abs(), torch.full((4,), 0.5).double(), rtol=1e-4, atol=0.0)
