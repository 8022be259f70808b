"""What the survey says of the spaces: their points and their sizes."""

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.architecture import Architecture
from archwright.spaces.cells import loose_ends
from archwright.spaces.ops import NASNET_OPS, FactorizedReduce

SIGNATURE = aw.Signature((3, 16, 16), 10)


def decide(space, **wanted):
    """The architecture whose decisions end as `wanted` says, the first option elsewhere."""

    def pick(name, choice):
        for ending, value in wanted.items():
            if name.endswith(ending.replace("__", ".")):
                return value(name) if callable(value) else value
        return 0

    return aw.spaces.trace(space, pick)


class PreActivation(nn.Module):
    """A hand-written network: `merge` joins what each of four 3x3 convolutions reads."""

    def __init__(self, merge, in_channels):
        super().__init__()
        self.merge = merge
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(in_channels(i), 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
            for i in range(4)
        )
        self.norm, self.linear = nn.BatchNorm2d(in_channels(4)), nn.Linear(in_channels(4), 10)

    def forward(self, x):
        outputs = [self.stem(x)]
        for index, layer in enumerate(self.layers):
            outputs.append(layer(self.merge(outputs, index)))
        return self.linear(torch.relu(self.norm(self.merge(outputs, 4))).mean((2, 3)))


def chain(outputs, index):
    return outputs[index]


def resnet_skip(name):
    # a block starts from the sum that the block before it ended with, so both of its terms are skipped to
    return int(name in ("layers[2].skips[0]", "last.skips[0]", "last.skips[2]"))


def resnet(outputs, index):
    """Blocks of two layers, x + f(x)."""
    if index == 2:
        return outputs[2] + outputs[0]
    if index == 4:
        return outputs[4] + (outputs[2] + outputs[0])
    return outputs[index]


def densenet(outputs, index):
    return torch.cat([outputs[index], *outputs[:index]], dim=1)


@pytest.mark.parametrize(
    ("merge", "in_channels", "wanted"),
    [
        (chain, lambda i: 8, {}),
        (resnet, lambda i: 8, {"skips[0]": resnet_skip, "skips[2]": resnet_skip}),
        (densenet, lambda i: 8 * (i + 1), {"]": lambda name: int(".skips[" in name), "merge": 1}),
    ],
    ids=["chain", "ResNet", "DenseNet"],
)
def test_chain_resnet_and_densenet_are_points_of_the_multibranch_space(merge, in_channels, wanted):
    space = aw.spaces.multibranch(layers=4, filters=(8,), stages=1)
    network = space.build(decide(space, **wanted), SIGNATURE)
    by_hand = PreActivation(merge, in_channels)
    mine, theirs = list(network.parameters()), list(by_hand.parameters())
    assert [p.shape for p in mine] == [p.shape for p in theirs]
    with torch.no_grad():
        for target, source in zip(mine, theirs, strict=True):
            source.normal_()
            target.copy_(source)
    x = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(network(x), by_hand(x))


def test_the_merge_of_a_layer_without_skips_does_not_matter():
    space = aw.spaces.multibranch(layers=4)
    added, joined = decide(space), decide(space, merge=1)
    assert added != joined
    assert space.key(added) == space.key(joined)


def test_the_nasnet_space_has_40_decisions():
    space = aw.spaces.cell()
    architecture = decide(space)
    assert len(architecture) == 40
    inputs = (2 * 3 * 4 * 5 * 6) ** 2
    assert aw.spaces.size(space) == (inputs * 13**10) ** 2


def test_cells_scale_without_touching_the_decisions():
    small, large = aw.spaces.cell(cells=1, filters=8), aw.spaces.cell(cells=3, filters=16)
    architecture = decide(small, **{"ops[0]": 9, "inputs[0]": 1})
    sizes = [sum(p.numel() for p in space.build(architecture, SIGNATURE).parameters()) for space in (small, large)]
    assert sizes[1] > 8 * sizes[0]
    assert small.key(architecture) == large.key(architecture)


def test_equal_cells_have_equal_keys():
    space = aw.spaces.cell(blocks=2)
    names = [name for name, _ in decide(space)]
    first = {"normal[0].inputs[0]": 0, "normal[0].inputs[1]": 1, "normal[0].ops[0]": 3, "normal[0].ops[1]": 7}
    swapped = {"normal[0].inputs[0]": 1, "normal[0].inputs[1]": 0, "normal[0].ops[0]": 7, "normal[0].ops[1]": 3}
    left, right = (Architecture(tuple((name, made.get(name, 0)) for name in names)) for made in (first, swapped))
    assert left != right
    assert space.key(left) == space.key(right)


def test_loose_ends_are_the_blocks_that_no_block_reads():
    blocks = [{"inputs": [0, 1]}, {"inputs": [2, 2]}, {"inputs": [0, 2]}]
    assert loose_ends(blocks) == [3, 4]


@pytest.mark.parametrize("op", NASNET_OPS, ids=repr)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_every_op_gives_the_same_shape(op, stride, side):
    for in_channels, out_channels in ((6, 6), (3, 5)):
        made = op(in_channels, out_channels, stride)(torch.randn(2, in_channels, side, side))
        assert made.shape == (2, out_channels, -(-side // stride), -(-side // stride))


def test_factorized_reduction_reads_every_pixel():
    module = FactorizedReduce(1, 2).eval()
    x = torch.rand(1, 1, 4, 4, requires_grad=True)
    module(x).sum().backward()
    diagonal = (x.grad[0, 0] != 0).nonzero().tolist()
    assert diagonal == [[r, c] for r in range(4) for c in range(4) if r % 2 == c % 2]


def test_chain_layers_have_only_the_parameters_of_their_kind():
    space = aw.spaces.chain(max_layers=1)
    kinds = {}
    for architecture in aw.spaces.enumerate_all(space):
        words = space.describe(architecture)
        kinds.setdefault(words["layers[0]"], set()).update(words)
    assert set(kinds) == {"convolution#0", "depthwise_separable", "convolution#2", "max_pool", "average_pool"}
    for kind, names in kinds.items():
        assert any("filters" in name for name in names) == ("pool" not in kind)
        assert any("dilation" in name for name in names) == (kind == "convolution#2")


def test_a_space_for_images_refuses_vectors():
    space = aw.spaces.multibranch()
    with pytest.raises(aw.ArchwrightError, match=r"images .* for vectors there is autonet"):
        space.build(decide(space), aw.Signature((16,), 3))
