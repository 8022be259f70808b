import pytest
import torch

from archwright.strategies import GDAS
from archwright.supernets.bilevel import first_order
from tests.supernets.small import Reads, chain, opened, spread_out, step_of


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
        [relaxation.path()["ops[0]"] for _ in range(count)],
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
