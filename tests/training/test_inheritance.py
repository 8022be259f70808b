"""What a network takes over from another one, on networks small enough to say it by hand."""

import copy
import itertools

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.training.distilling import Distilling
from archwright.training.inheritance import alike, inherit, matched, take_over


def perturbed(network, seed=0):
    """As if trained: no number is what it was initialised to, and batch-norm has statistics."""
    generator = torch.Generator().manual_seed(seed)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
    return network.eval()


def taken(child, parent):
    with torch.no_grad():
        take_over(child, parent)
    return child


def convolution(inputs, outputs, kernel=3, **others):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **others)


class Net(nn.Module):
    """A chain of convolutions with batch-norm, pooled and classified."""

    def __init__(self, *widths, inserted=None):
        super().__init__()
        layers = [
            nn.Sequential(convolution(before, width), nn.BatchNorm2d(width), nn.ReLU())
            for before, width in itertools.pairwise((1, *widths))
        ]
        if inserted is not None:
            width = widths[inserted - 1]
            layers.insert(inserted, nn.Sequential(convolution(width, width, 1), nn.ReLU()))
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(widths[-1], 3)

    def forward(self, x):
        return self.classifier(self.layers(x).mean(dim=(2, 3)))


@pytest.fixture
def images():
    return torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_an_equal_network_takes_all(images):
    parent, child = perturbed(Net(3, 4)), Net(3, 4)
    found = inherit(child, parent, images, seed=0)
    assert found.share == 1.0
    assert found.exact
    for name, value in parent.state_dict().items():
        assert torch.equal(child.state_dict()[name], value)
    assert child.training  # left as it was
    assert not parent.training


def test_channels_overlap_from_the_first_on():
    parent, child = perturbed(convolution(2, 3)), convolution(4, 5)
    fresh = child.weight.clone()
    taken(child, parent)
    assert torch.equal(child.weight[:3, :2], parent.weight)
    assert not child.weight[:3, 2:].any()  # an old unit doesn't hear what it doesn't know
    assert torch.equal(child.weight[3:], fresh[3:])  # a new one hears everything
    assert torch.equal(child.bias[:3], parent.bias)


def test_a_narrower_layer_keeps_the_first_channels():
    parent, child = perturbed(nn.Linear(5, 4)), nn.Linear(3, 2)
    taken(child, parent)
    assert torch.equal(child.weight, parent.weight[:2, :3])
    assert torch.equal(child.bias, parent.bias[:2])


@pytest.mark.parametrize(("small", "large"), [(1, 3), (3, 5), (1, 5)])
def test_kernels_overlap_in_the_middle(small, large):
    image = torch.randn(2, 2, 9, 9)
    parent, child = perturbed(convolution(2, 3, small)), convolution(2, 3, large)
    taken(child, parent)
    assert torch.allclose(child(image), parent(image), atol=1e-6)
    edge = (large - small) // 2
    back = taken(convolution(2, 3, small), child)
    assert torch.equal(back.weight, child.weight[:, :, edge : large - edge, edge : large - edge])


def test_wider_layers_alone_change_nothing(images):
    parent, child = perturbed(Net(3, 4)), Net(7, 9)
    found = inherit(child, parent, images, seed=0)
    assert found.exact
    assert 0.0 < found.share < 1.0
    with torch.no_grad():
        assert torch.allclose(child.eval()(images), parent(images), atol=1e-5)
    child.train()(images).sum().backward()  # and what is new can learn: its outgoing weights have a gradient
    assert child.classifier.weight.grad[:, 4:].any()
    assert child.layers[1][0].weight.grad[:4, 3:].any()


def test_an_inserted_layer_shifts_none_behind_it(images):
    parent, child = perturbed(Net(3, 5, 4)), Net(3, 5, 4, inserted=1)
    inherit(child, parent, images, seed=0)
    for ours, theirs in ((0, 0), (2, 1), (3, 2)):
        assert torch.equal(child.layers[ours][0].weight, parent.layers[theirs][0].weight)
        assert torch.equal(child.layers[ours][1].running_var, parent.layers[theirs][1].running_var)


def test_a_removed_layer_shifts_none_behind_it(images):
    parent, child = perturbed(Net(3, 5, 4, inserted=1)), Net(3, 5, 4)
    inherit(child, parent, images, seed=0)
    for ours, theirs in ((0, 0), (1, 2), (2, 3)):
        assert torch.equal(child.layers[ours][0].weight, parent.layers[theirs][0].weight)


def test_lists_align_by_the_least_edit_distance():
    """Against all monotone alignments: none shares more numbers."""
    rng = torch.Generator().manual_seed(0)

    def layers(count):
        sizes = torch.randint(1, 6, (count, 2), generator=rng).tolist()
        return nn.ModuleList(nn.Linear(*pair, bias=False) for pair in sizes)

    def overlap(one, other):
        return min(one.in_features, other.in_features) * min(one.out_features, other.out_features)

    def most(ours, theirs):
        if not ours or not theirs:
            return 0
        skipped = max(most(ours[1:], theirs), most(ours, theirs[1:]))
        return max(skipped, overlap(ours[0], theirs[0]) + most(ours[1:], theirs[1:]))

    for counts in ((4, 3), (2, 5), (5, 4), (1, 4), (6, 3)):
        child, parent = map(layers, counts)
        pairs = [(one, other) for one, other in matched(child, parent)]
        places = [(list(child).index(one), list(parent).index(other)) for one, other in pairs]
        assert places == sorted(places)
        assert all(len(set(column)) == len(pairs) for column in zip(*places, strict=True))
        assert sum(overlap(*pair) for pair in pairs) == most(list(child), list(parent))


def test_modules_of_another_kind_stay_fresh():
    child, parent = nn.Linear(3, 2), perturbed(nn.Bilinear(3, 3, 2))
    assert list(matched(child, parent)) == []


def test_groups_and_stacked_matrices_are_not_cut_apart():
    full, depthwise = convolution(4, 4), perturbed(convolution(4, 4, groups=4))
    fresh = full.weight.clone()
    taken(full, depthwise)
    assert torch.equal(full.weight, fresh)  # one column of it would be left, and the others silenced
    assert torch.equal(full.bias, depthwise.bias)
    wider = taken(convolution(6, 6, groups=6), depthwise)
    assert torch.equal(wider.weight[:4], depthwise.weight)
    small, large = perturbed(nn.LSTM(3, 2)), nn.LSTM(3, 4)
    fresh = large.weight_ih_l0.clone()
    taken(large, small)
    assert torch.equal(large.weight_ih_l0, fresh)
    same = taken(nn.LSTM(3, 2), small)
    assert torch.equal(same.weight_hh_l0, small.weight_hh_l0)


def test_batch_norm_goes_along():
    parent, child = perturbed(nn.BatchNorm2d(2)), nn.BatchNorm2d(3)
    parent.num_batches_tracked += 7
    taken(child, parent)
    assert torch.equal(child.running_mean[:2], parent.running_mean)
    assert child.running_var[2] == 1.0
    assert child.num_batches_tracked == 7


def test_statistics_of_instance_norm_go_along():
    parent, child = (
        perturbed(nn.InstanceNorm2d(2, track_running_stats=True)),
        nn.InstanceNorm2d(2, track_running_stats=True),
    )
    taken(child, parent)
    assert torch.equal(child.running_var, parent.running_var)


class Masked(nn.Module):
    """A linear layer that hears only some of the pixels: the architecture is in a buffer."""

    def __init__(self, *heard):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(64))
        self.register_buffer("mask", torch.zeros(64))
        self.mask[list(heard)] = 1.0

    def forward(self, x):
        return (x.flatten(1) * self.mask) @ self.weight[:, None]


@pytest.mark.parametrize(("heard", "exact"), [((3, 5), False), ((1, 2), True)])
def test_buffers_that_are_no_statistics_stay_the_childs(images, heard, exact):
    parent, child = Masked(1, 2), Masked(*heard)
    mask = child.mask.clone()
    found = inherit(child, parent, images, seed=0)
    assert torch.equal(child.mask, mask)
    assert torch.equal(child.weight, parent.weight)
    assert (found.share, found.exact) == (1.0, exact)


class Proud(nn.Module):
    """Knows its morphisms: it takes the parent's number and remembers what it was given."""

    def __init__(self, size=1):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        return x.flatten(1)[:, :1] * self.scale.sum()

    def inherit(self, parent, generator):
        self.draw = torch.rand(1, generator=generator)
        self.scale[:1] = parent.scale.sum()
        return True


def test_a_network_that_knows_its_morphisms_takes_over_by_itself(images):
    parent, child, twin = perturbed(Proud(2)), Proud(4), Proud(4)
    found = inherit(child, parent, images, seed=3)
    assert found.exact
    assert found.share == 0.25
    inherit(twin, parent, images, seed=3)
    assert child.draw == twin.draw
    inherit(twin, parent, images, seed=4)
    assert child.draw != twin.draw


def test_exact_is_measured(images):
    one, other = perturbed(Net(3, 4)), perturbed(Net(3, 4))
    assert alike(one, other, images)
    with torch.no_grad():
        other.classifier.bias[0] += 0.01
    assert not alike(one, other, images)
    assert not alike(one, nn.Flatten(), images)  # of another shape


def test_a_mutated_cell_keeps_what_the_mutation_did_not_touch():
    space, task = aw.spaces.nasbench201(cells=1, channels=4), aw.tasks.digits()
    ops = {f"edges[{i}]": op for i, op in enumerate((3, 1, 2, 1, 3, 1))}
    before, after = (aw.Architecture.from_json(ops | {"edges[1]": op}) for op in (1, 3))  # a skip becomes a convolution
    parent, child = (space.build(architecture, task.signature) for architecture in (before, after))
    fresh = copy.deepcopy(child.state_dict())
    perturbed(parent)
    found = inherit(child, parent, task.prepare(task.valid.inputs[:4]), seed=0)
    theirs = parent.state_dict()
    kept = [name for name, value in child.state_dict().items() if name in theirs]
    assert all(torch.equal(child.state_dict()[name], theirs[name]) for name in kept)
    new = [name for name in fresh if name not in theirs]
    assert new
    assert all(torch.equal(child.state_dict()[name], fresh[name]) for name in new)
    sizes = {name: value.numel() for name, value in fresh.items() if value.is_floating_point()}
    assert found.share == pytest.approx(1.0 - sum(sizes.get(name, 0) for name in new) / sum(sizes.values()))


@pytest.mark.parametrize("classes", [True, False])
def test_distillation_approaches_the_teacher(classes):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 4, generator=generator)
    targets = torch.arange(256) % 3 if classes else 50 * torch.randn(256, 3, generator=generator) + 100
    task = aw.tasks.arrays(inputs.numpy(), targets.numpy())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher, student = (nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3)) for _ in range(2))

    def apart():
        with torch.no_grad():
            answers = [net(task.prepare(task.valid.inputs)) for net in (teacher, student)]
        one, other = (answer.softmax(dim=1) if classes else answer for answer in answers)
        return float((one - other).abs().mean())

    kept, first = copy.deepcopy(teacher.state_dict()), apart()
    given = aw.tasks.Hyperparameters(learning_rate=0.1, batch_size=32, label_smoothing=0.0, precision="float32")
    fit = Distilling(teacher, student, task, task.train, given, 10, 0, torch.device("cpu"))
    for _ in range(10):
        fit.run_epoch()
    assert apart() < 0.3 * first
    assert all(torch.equal(value, kept[name]) for name, value in teacher.state_dict().items())


def test_out_of_memory_is_no_reason_to_compare_more_coarsely(images):
    class Large(Net):
        def double(self):
            raise torch.OutOfMemoryError("CUDA out of memory")

    class Larger(Net):
        def double(self):
            torch.empty(2**50)

    with pytest.raises(torch.OutOfMemoryError):
        alike(Large(3), Net(3), images)
    with pytest.raises(RuntimeError, match="allocate memory"):
        alike(Larger(3), Net(3), images)
