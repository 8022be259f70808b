import pytest
import torch

import archwright as aw
from archwright.core.choices import Choice
from archwright.spaces.space import Space
from archwright.supernets import OpenNetwork
from archwright.supernets.relaxation import Adam, Step
from archwright.supernets.relaxations.sizes import Sizes

SIGNATURE = aw.Signature((1, 8, 8), 3)


def relaxed(**settings):
    torch.manual_seed(0)
    space = aw.spaces.elastic_chain(layers=1, kernels=(1, 3, 5), filters=(2, 4, 6, 8), units=(4, 8), **settings)
    return Sizes(OpenNetwork(space, SIGNATURE), Adam(0.1, weight_decay=0.0))


def test_a_point_weighs_the_two_sizes_that_it_lies_between():
    relaxation = relaxed()
    assert relaxation.names == ["layers[0].kernel", "layers[0].filters", "units"]
    with torch.no_grad():
        relaxation.logits[0].fill_(1.25)
    shares = relaxation.probabilities()
    assert shares["layers[0].kernel"].tolist() == pytest.approx([0.0, 0.75, 0.25])
    assert shares["layers[0].filters"].tolist() == pytest.approx([0.0, 0.5, 0.5, 0.0])  # the middle, at first
    words = relaxation.network.space.describe(relaxation.architecture())
    assert words["layers[0].kernel"] == "3"


def test_points_move_against_the_gradient_of_the_validation_loss_and_stay_inside():
    relaxation = relaxed()
    network, generator = relaxation.network, torch.Generator().manual_seed(1)
    batch = (torch.randn(16, 1, 8, 8, generator=generator), torch.randint(3, (16,), generator=generator))

    def loss(given):
        return torch.nn.functional.cross_entropy(network(given[0]), given[1])

    step = Step(network, loss, batch, batch, torch.optim.SGD(network.parameters(), 0.1))
    relaxation.apply_weights()
    loss(batch).backward()
    slopes = [float(point.grad) for point in relaxation.logits]
    before = [float(point.detach()) for point in relaxation.logits]
    relaxation.learn(step)
    for slope, old, new in zip(slopes, before, relaxation.logits, strict=True):
        moved = float(new.detach()) - old
        assert moved * slope < 0  # Adam's first step has the length of the learning rate, down the slope
        assert abs(moved) == pytest.approx(0.1, rel=1e-3)
    for _ in range(60):
        relaxation.learn(step)
    for name, point in zip(relaxation.names, relaxation.logits, strict=True):
        assert 0.0 <= float(point.detach()) <= len(network.choices[name].options) - 1


def test_what_is_no_size_is_a_mixture():
    space = Space(_Two, op=Choice(_conv, torch.nn.Identity), width=Choice(1, 2))  # numbers, but no layer's size
    torch.manual_seed(0)
    relaxation = Sizes(OpenNetwork(space, SIGNATURE), Adam(0.1))
    assert relaxation.points == []
    assert relaxation.probabilities()["op"].tolist() == pytest.approx([0.5, 0.5], abs=1e-2)


def _conv(channels, out, stride):
    return torch.nn.Conv2d(channels, out, 1, stride)


class _Two(torch.nn.Module):
    def __init__(self, signature, op, width):
        super().__init__()
        self.op = op(1, 1, 1)

    def forward(self, x):
        return self.op(x).flatten(1)[:, :3]
