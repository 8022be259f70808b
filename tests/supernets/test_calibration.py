import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.architecture import Architecture
from archwright.core.choices import Choice
from archwright.spaces import elastic
from archwright.spaces.space import Space
from archwright.supernets import OpenNetwork, calibrated

SIGNATURE = aw.Signature((2, 5, 5), 3)


def wide(in_channels, out_channels, stride=1):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))


def narrow(in_channels, out_channels, stride=1):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.Dropout(0.5), nn.BatchNorm2d(out_channels))


class Net(nn.Module):
    """Two open ops, one after the other, and an elastic pair of layers."""

    def __init__(self, signature, first, second, width):
        super().__init__()
        self.first, self.second = first(2, 3, 1), second(3, 2, 1)
        self.expand, self.norm = elastic.conv2d(2, width), elastic.batch_norm2d(width)
        self.head = elastic.linear(width, signature.outputs)

    def forward(self, x):
        x = self.second(self.first(x).relu())
        return self.head(self.norm(self.expand(x)).mean((2, 3)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    space = Space(Net, first=Choice(wide, narrow), second=Choice(wide, narrow), width=Choice(2, 4, 6))
    made = OpenNetwork(space, SIGNATURE).double()
    made.decide(Architecture((("first", 1), ("second", 0), ("width", 0))))
    for seed in range(3):  # other statistics than those of a new network
        made(images(seed + 10))
    return made


def images(seed, examples=4):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(examples, 2, 5, 5, dtype=torch.float64, generator=generator) * (1 + seed) + seed


def by_hand(made):
    """Mean, biased and unbiased variance of each channel of (batch, channels, height, width)."""
    channels = made.transpose(0, 1).flatten(1)
    means = channels.sum(1) / channels.shape[1]
    squares = ((channels - means[:, None]) ** 2).sum(1)
    return means, squares / channels.shape[1], squares / (channels.shape[1] - 1)


def test_statistics_are_those_of_the_batches_for_the_decided_path(network):
    architecture = Architecture((("first", 1), ("second", 0), ("width", 1)))
    network.decide(architecture)
    net = network.network
    first, second = net.first.candidates[1], net.second.candidates[0]
    stages = (  # what comes before each norm, and the norm; dropout is switched off
        (lambda x: first[0](x), first[2], 3),
        (lambda x: second[0](x.relu()), second[1], 2),
        (lambda x: nn.functional.conv2d(x, net.expand.weight[:4]), net.norm, 4),
    )
    collected = [[] for _ in stages]
    with torch.no_grad():
        for seed in range(3):
            x = images(seed)
            for (before, norm, channels), seen in zip(stages, collected, strict=True):
                x = before(x)
                mean, biased, unbiased = by_hand(x)
                seen.append((mean, unbiased))
                x = (x - mean[:, None, None]) / (biased[:, None, None] + norm.eps).sqrt()
                x = x * norm.weight[:channels, None, None] + norm.bias[:channels, None, None]
    with calibrated(network, map(images, range(3))):
        for (_, norm, channels), seen in zip(stages, collected, strict=True):
            means, variances = (sum(part) / 3 for part in zip(*seen, strict=True))
            assert torch.allclose(norm.running_mean[:channels], means, rtol=0, atol=1e-10)
            assert torch.allclose(norm.running_var[:channels], variances, rtol=0, atol=1e-10)
        assert net.norm.running_mean[4:].eq(0).all()  # channels that take no part saw nothing
        assert not network.training
        ours = network(images(7))
        standalone = network.standalone(architecture)
        assert torch.allclose(ours, standalone(images(7)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("training", [True, False])
def test_everything_is_restored(network, training):
    network.train(training)
    network.network.first.candidates[1][2].eval()  # a part in another mode than the whole
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = {name: module.training for name, module in network.named_modules()}
    with calibrated(network, [images(1)]):
        changed = network.state_dict()
        assert any(not torch.equal(tensor, changed[name]) for name, tensor in before.items())
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    changed = {name for name, module in network.named_modules() if module.training != modes[name]}
    assert not {name for name in changed if isinstance(network.get_submodule(name), nn.BatchNorm2d)}
    assert network.training == training


@pytest.mark.parametrize("inside", [True, False])
def test_everything_is_restored_after_an_error(network, inside):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def use():
        wrong = torch.zeros(2, 7, 5, 5, dtype=torch.float64)  # 7 channels: the network takes 2
        with calibrated(network, [images(1)] if inside else [images(1), wrong]):
            network(wrong)

    with pytest.raises(RuntimeError, match="channels"):
        use()
    after = network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert network.training


def test_no_gradient_is_computed(network):
    with calibrated(network, [images(1)]):
        pass
    assert all(parameter.grad is None for parameter in network.parameters())


def test_no_number_is_read_from_the_device():
    """A GPU would be waited for; from the device `meta` there is nothing to read at all."""
    norm = nn.Sequential(nn.BatchNorm2d(2, device="meta"))
    with calibrated(norm, [torch.empty(4, 2, 5, 5, device="meta")] * 3):
        assert int(norm[0].num_batches_tracked) == 3
    assert {tensor.device.type for tensor in norm.state_dict().values()} == {"meta"}


def test_a_norm_that_runs_twice_a_batch_has_the_mean_of_both_runs():
    norm = nn.BatchNorm2d(2, dtype=torch.float64)
    twice = nn.Sequential(norm, nn.Conv2d(2, 2, 1, dtype=torch.float64), norm)
    with calibrated(twice, [images(1), images(2)]):
        found = norm.running_mean.clone()
    norm.reset_running_stats()
    norm.momentum = None
    with torch.no_grad():
        for seed in (1, 2):
            twice(images(seed))
    assert torch.equal(found, norm.running_mean)
