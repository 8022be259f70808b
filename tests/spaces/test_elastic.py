import operator
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

import archwright as aw
from archwright.core.choices import BadSpace, Choice, Integer
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.spaces import elastic
from archwright.spaces.opening import Undecided, current, every, largest
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.supernets import OpenNetwork

SIGNATURE = aw.Signature((2, 9, 8), 3)
SPACES = {
    "elastic_chain": partial(aw.spaces.elastic_chain, layers=2, filters=(2, 4, 6), units=(4, 8)),
    "elastic_mobile": partial(aw.spaces.elastic_mobile, widths=(4, 6), strides=(1, 2)),
    "elastic_transformer": partial(aw.spaces.elastic_transformer, widths=(6, 8, 12), heads=(1, 2, 3), head_width=4),
}


def undecided(*options, name="size"):
    made = Undecided(name, Choice(*options), False)
    made.options = options
    return made


def decided(index, *options):
    made = undecided(*options)
    made.decide(index)
    return made


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SPACES)
def test_open_network_restricted_to_an_architecture_is_the_standalone_one(name):
    """Outputs, gradients and the statistics of batch-norm, for 50 architectures."""
    space, streams = SPACES[name](), Streams(5)
    torch.manual_seed(0)
    network = OpenNetwork(space, SIGNATURE).double()
    images, direction = drawn(4, 2, 9, 8), drawn(4, 3, seed=1)
    weights = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    for number in range(50):
        architecture = sample(space, streams[number])
        network.load_state_dict(weights)
        standalone = network.standalone(architecture)
        network.zero_grad()
        ours, own = network(images), standalone(images)
        assert torch.allclose(ours, own, rtol=0, atol=1e-10)
        for outputs in (ours, own):
            (outputs * direction).sum().backward()
        after = network.weights_of(architecture, standalone)
        for key, tensor in standalone.named_buffers():
            assert torch.allclose(after[key], tensor, rtol=0, atol=1e-10)
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        everywhere = sum(float(gradient.square().sum()) for gradient in gradients)
        with torch.no_grad():  # gradients in the place of weights, so that they are cut out alike
            for parameter in network.parameters():
                parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        cut = network.weights_of(architecture, standalone)
        inside = 0.0
        for key, parameter in standalone.named_parameters():
            assert torch.allclose(cut[key], parameter.grad, rtol=0, atol=1e-10), key
            inside += float(parameter.grad.square().sum())
        assert everywhere == pytest.approx(inside, rel=1e-10)  # and nothing outside the part took any


@pytest.mark.parametrize("name", SPACES)
def test_with_everything_decided_the_layers_are_torchs_own(name):
    space = SPACES[name]()
    network = space.build(sample(space, Streams(0)[0]), SIGNATURE)
    assert not any(isinstance(module, elastic.Elastic) for module in network.modules())


@pytest.mark.parametrize("name", SPACES)
def test_open_layers_have_torchs_names_and_the_largest_shapes(name):
    space = SPACES[name]()
    network = OpenNetwork(space, SIGNATURE)
    largest_of_each = network.architecture(
        lambda choice: choice.choice.high if isinstance(choice.choice, Integer) else len(choice.options) - 1
    )
    whole = space.build(largest_of_each, SIGNATURE).state_dict()
    assert {key: tensor.shape for key, tensor in network.network.state_dict().items()} == {
        key: tensor.shape for key, tensor in whole.items()
    }


def test_an_undecided_size_is_no_mixture():
    network = OpenNetwork(SPACES["elastic_mobile"](), SIGNATURE)
    with pytest.raises(ArchwrightError, match="can be no mixture"):
        network(torch.zeros(2, 2, 9, 8))


def test_convolution_uses_first_channels_and_the_centre_of_the_kernel():
    layer = elastic.conv2d(decided(0, 2, 4), decided(1, 3, 5, 6), decided(1, 3, 5, 7), stride=2, bias=True).double()
    assert layer.weight.shape == (6, 4, 7, 7)
    x = drawn(2, 2, 9, 9)
    expected = functional.conv2d(x, layer.weight[:5, :2, 1:6, 1:6], layer.bias[:5], stride=2, padding=2)
    assert torch.equal(layer(x), expected)
    assert layer.current_state().keys() == {"weight", "bias"}
    assert not layer.current_state()["weight"].requires_grad


def test_depthwise_convolution_follows_its_channels():
    channels = decided(0, 3, 5)
    layer = elastic.conv2d(channels, channels, 3, groups=channels, dilation=2).double()
    assert layer.weight.shape == (5, 1, 3, 3)
    x = drawn(2, 3, 8, 8)
    assert torch.equal(layer(x), functional.conv2d(x, layer.weight[:3], padding=2, dilation=2, groups=3))


def test_linear_layer_norm_and_embedding_use_first_features():
    width = decided(0, 3, 5)
    linear, norm, table = elastic.linear(width, 2), elastic.layer_norm(width), elastic.embedding(4, width)
    for module in (linear, norm, table):
        nn.init.normal_(module.weight)
    x = torch.randn(6, 3)
    assert torch.equal(linear(x), x @ linear.weight[:, :3].T + linear.bias)
    standard = (x - x.mean(1, keepdim=True)) / (x.var(1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    assert torch.allclose(norm(x), standard * norm.weight[:3] + norm.bias[:3], atol=1e-6)
    assert torch.equal(table(torch.tensor([2, 0])), table.weight[[2, 0], :3])


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_moves_the_statistics_of_its_channels_as_torch_does(momentum):
    width = decided(0, 3, 5)
    ours, torchs = elastic.batch_norm2d(width).double(), nn.BatchNorm2d(3, momentum=momentum).double()
    ours.momentum = momentum
    for seed in range(3):
        x = drawn(4, 3, 2, 2, seed=seed)
        assert torch.allclose(ours(x), torchs(x), rtol=0, atol=1e-12)
    assert torch.allclose(ours.running_mean[:3], torchs.running_mean, rtol=0, atol=1e-12)
    assert torch.allclose(ours.running_var[:3], torchs.running_var, rtol=0, atol=1e-12)
    assert ours.running_mean[3:].eq(0).all()
    assert ours.running_var[3:].eq(1).all()
    assert torch.allclose(ours.eval()(x), torchs.eval()(x), rtol=0, atol=1e-12)


def test_a_size_that_follows_from_others():
    ratio, width = decided(1, 2, 3), decided(0, 4, 8)
    hidden = elastic.computed(operator.mul, ratio, width)
    assert every(hidden) == [8, 12, 16, 24]
    assert (largest(hidden), current(hidden)) == (24, 12)
    width.decide(1)
    assert current(hidden) == 24
    width.open()
    with pytest.raises(ArchwrightError, match="can be no mixture"):
        current(hidden)
    assert elastic.computed(operator.mul, 3, 4) == 12


def all_of(space):
    """An open network with a mixture of every size, each of which takes part."""
    torch.manual_seed(3)
    network = OpenNetwork(space, SIGNATURE).double()
    weights = {
        name: torch.softmax(torch.randn(len(choice.options), dtype=torch.float64), 0).requires_grad_()
        for name, choice in network.choices.items()
        if not name.endswith(".times")  # a depth is no mixture
    }
    network.mix(weights | {name: {0: 1.0} for name in network.choices if name not in weights})
    return network, weights


FIXED = {
    "elastic_chain": SPACES["elastic_chain"],
    "elastic_transformer": partial(SPACES["elastic_transformer"], depth=(2, 2)),
}


@pytest.mark.parametrize("name", FIXED)
def test_a_mixture_of_one_size_is_that_size(name):
    """Weights of exactly 0 and 1 as tensors, so that the largest size is computed and weighed."""
    network, _ = all_of(FIXED[name]())
    images, streams = drawn(4, 2, 9, 8), Streams(6)
    for number in range(20):
        architecture = sample(network.space, streams[number])
        network.decide(architecture)
        wanted = network(images)
        one_hot = {}
        for key, choice in network.choices.items():
            (option,) = choice.weights
            shares = torch.eye(len(choice.options), dtype=torch.float64)[option]
            one_hot[key] = {0: 1.0} if key.endswith(".times") else shares
        network.mix(one_hot)
        assert torch.allclose(network(images), wanted, rtol=0, atol=1e-10)


def test_a_mixture_is_the_mean_of_what_is_linear_in_it():
    filters, kernel = undecided(2, 3), undecided(1, 3, 5)
    layer, reader = elastic.conv2d(2, filters, kernel).double(), elastic.conv2d(filters, 4).double()
    shares, rings = torch.tensor([0.3, 0.7]).double(), torch.tensor([0.2, 0.5, 0.3]).double()
    filters.mix(shares)
    kernel.mix(rings)
    x = drawn(2, 2, 6, 6)
    made = reader(layer(x))
    wanted = torch.zeros_like(made)
    for place, share in enumerate(shares):
        for ring, weight in enumerate(rings):
            filters.decide(place)
            kernel.decide(ring)
            wanted = wanted + share * weight * reader(layer(x))
    assert torch.allclose(made, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FIXED)
def test_gradients_reach_the_weights_of_sizes(name):
    """Against central differences, in each weight of each choice."""
    network, weights = all_of(FIXED[name]())
    images, direction = drawn(4, 2, 9, 8), drawn(4, 3, seed=1)

    def value():
        network.mix({name: {0: 1.0} for name in network.choices} | weights)
        return (network.eval()(images) * direction).sum()

    value().backward()
    for row in weights.values():
        for place in range(len(row)):
            sides = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    row[place] += step
                    sides.append(float(value()))
                    row[place] -= step
            assert float(row.grad[place]) == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_what_can_not_be_shared_is_refused():
    with pytest.raises(BadSpace, match="not the centre"):
        elastic.conv2d(2, 2, undecided(2, 3))
    with pytest.raises(BadSpace, match="1 group"):
        elastic.conv2d(4, undecided(4, 8), groups=2)
    with pytest.raises(BadSpace, match="at least 2 times"):
        aw.spaces.elastic_mobile(expansions=(1, 6))


def test_a_module_of_ones_own_with_an_open_width():
    class Perceptron(nn.Module):
        def __init__(self, signature, width, hidden):
            super().__init__()
            self.first = elastic.linear(signature.input_shape[0], width)
            self.last = elastic.linear(width, signature.outputs)

        def forward(self, x):
            return self.last(self.first(x).relu())

    space = Space(Perceptron, width=Choice(2, 4, 8), hidden=0)
    network = OpenNetwork(space, aw.Signature((5,), 3))
    for value, width in enumerate((2, 4, 8)):
        standalone = network.standalone(aw.Architecture((("width", value),)))
        assert standalone.first.weight.shape == (width, 5)
        assert torch.equal(standalone.last.weight, network.network.last.weight[:, :width])
