"""Networks that grow and shrink: what each step takes over, and how near to its parent begins what can't be exact."""

import heapq
import random
import time
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.nn import functional

import archwright as aw
from archwright.core.choices import BadSpace
from archwright.spaces.grown import _cheapest
from archwright.spaces.morphing import decided_as
from archwright.spaces.steps import Separable, Transfer
from archwright.tasks import Hyperparameters
from archwright.training.loop import Fit, score

WIDTHS, KERNELS = (4, 6, 8, 12), (3, 5)
SIGNATURE = aw.Signature((1, 8, 8), 3)
SPACE = aw.spaces.growing(max_layers=4, widths=WIDTHS, kernels=KERNELS, stages=1)


def layer(op="conv", kernel=3, width=8, branch=None, skip=None):
    return {"op": op, "kernel": kernel, "width": width, "branch": branch, "skip": skip}


def decided(*layers):
    return decided_as(SPACE, {"stages": [list(layers)], "widths": WIDTHS, "kernels": KERNELS})


def built(*layers, seed=0):
    torch.manual_seed(seed)
    network = SPACE.build(decided(*layers), SIGNATURE).double()
    for module in network.modules():  # as if it had been trained
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()
    return network.eval()


def child_of(parent, *layers, seed=0):
    child = built(*layers, seed=seed + 100)
    return child, child.inherit(parent, torch.Generator().manual_seed(seed))


def step(network, *key):
    return network.steps[[step.key for step in network.plan].index(key)]


def weights(network, block):
    return step(network, "stage 0", block, "main", "conv").conv.weight.detach()


@torch.no_grad()
def outputs(network):
    return network(
        torch.randn(6, *SIGNATURE.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    )


def test_wider_layers_are_copies_whose_outgoing_weights_add_up():
    parent = built(layer(width=4), layer(width=6))
    child, exact = child_of(parent, layer(width=12), layer(width=6))
    assert exact
    before, after = weights(parent, 0), weights(child, 0)
    copied = [int((before - row).flatten(1).abs().sum(1).argmin()) for row in after]
    torch.testing.assert_close(after, before[copied], rtol=0, atol=0)
    assert copied[:4] == [0, 1, 2, 3]
    outgoing = torch.zeros_like(weights(parent, 1)).index_add(1, torch.tensor(copied), weights(child, 1))
    torch.testing.assert_close(outgoing, weights(parent, 1))


def test_a_deeper_layer_is_the_identity_and_its_batch_norm_undoes_itself():
    parent = built(layer(width=6))
    child, exact = child_of(parent, layer(width=6), layer(width=6, kernel=5))
    assert exact
    wanted = torch.zeros(6, 6, 5, 5, dtype=torch.float64)
    wanted[range(6), range(6), 2, 2] = 1.0
    torch.testing.assert_close(weights(child, 1), wanted, rtol=0, atol=0)
    norm = step(child, "stage 0", 1, "main", "norm").norm
    torch.testing.assert_close(norm.weight.detach(), (norm.running_var + norm.eps).sqrt())
    torch.testing.assert_close(norm.bias.detach(), norm.running_mean)


def test_a_larger_kernel_has_a_frame_of_zeros():
    parent = built(layer(kernel=3))
    child, exact = child_of(parent, layer(kernel=5))
    assert exact
    torch.testing.assert_close(weights(child, 0), functional.pad(weights(parent, 0), [1] * 4), rtol=0, atol=0)


def test_a_new_sum_gives_its_skip_no_weight_and_a_new_concatenation_no_outgoing_weights():
    parent = built(layer(width=6), layer(width=8))
    child, exact = child_of(parent, layer(width=6, skip={"merge": "sum", "source": 0}), layer(width=8))
    assert exact
    assert step(child, "stage 0", 0, "skip", "sum").weights.tolist() == [1.0, 0.0]
    child, exact = child_of(parent, layer(width=6, skip={"merge": "concat", "source": 0}), layer(width=8))
    assert exact
    torch.testing.assert_close(weights(child, 1)[:, :6], weights(parent, 1), rtol=0, atol=0)
    assert (weights(child, 1)[:, 6:] == 0).all()


def test_copies_come_apart_in_training():
    """With equal shares of the outgoing weights, as in Net2Net without noise, they would stay equal for ever."""
    parent = built(layer(width=4), layer(width=6))
    x, y = torch.randn(16, *SIGNATURE.input_shape, dtype=torch.float64), torch.arange(16) % 3
    apart = []
    for even in (False, True):
        child, _ = child_of(parent, layer(width=8), layer(width=6))
        if even:
            before = weights(child, 0)
            copied = [int((before[:4] - row).flatten(1).abs().sum(1).argmin()) for row in before]
            counts = torch.tensor([copied.count(source) for source in copied])
            step(child, "stage 0", 1, "main", "conv").conv.weight.data = (
                weights(parent, 1)[:, copied] / counts[:, None, None]
            )
        optimizer = torch.optim.SGD(child.train().parameters(), 0.1)
        for _ in range(10):
            optimizer.zero_grad()
            functional.cross_entropy(child(x), y).backward()
            optimizer.step()
        new = weights(child, 0)
        nearest = torch.stack([(new[:4] - row).flatten(1).norm(dim=1).min() for row in new[4:]])
        apart.append(float((nearest / new[4:].flatten(1).norm(dim=1)).min()))
    assert apart[0] > 1e-3
    assert apart[1] < 1e-12


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 0.3), (-1.2, 0.8)])
def test_moments_of_a_rectified_channel(mean, deviation):
    transfer = Transfer(torch.Generator(), moments={("norm", 0): (mean, deviation**2)})
    density = stats.norm(mean, deviation).pdf
    first, second = (integrate.quad(lambda z, p=p: z**p * density(z), 0, 12)[0] for p in (1, 2))
    wanted = (first, second - first**2)
    assert transfer.moments_of(("pool", "max", ("relu", ("norm", 0)))) == pytest.approx(wanted, rel=1e-6)
    covariance = integrate.quad(lambda z: (z - mean) * z * density(z), 0, 12)[0]
    assert transfer.slope(("norm", 0)) == pytest.approx(covariance / deviation**2, rel=1e-6)  # of the regression on z


def test_a_new_layer_nearly_keeps_the_function_in_training_mode_too():
    """Its running statistics are those of its input, so its batch statistics change little."""
    task = aw.tasks.digits()
    space = aw.spaces.eas(blocks=1, widths=(8,), units=(16,))
    offered = {"kernels": (1, 3, 5), "widths": (8,), "units": (16,)}
    one = {"kernel": 3, "width": 8}
    short, long = (decided_as(space, {"blocks": [[one] * count], "dense": [16], **offered}) for count in (1, 2))
    torch.manual_seed(0)
    parent, child = (space.build(architecture, task.signature) for architecture in (short, long))
    fit = Fit(parent, task, task.train, Hyperparameters(batch_size=64), 2, 0, torch.device("cpu"))
    fit.run_epoch()
    fit.run_epoch()
    assert child.inherit(parent, torch.Generator())
    norm = step(child, "block 0", 1, "main", "norm").norm
    x = task.prepare(task.train.inputs[:500])
    with torch.no_grad():
        wanted = parent.train()(x)
        near = float((child.train()(x) - wanted).norm() / wanted.norm())
        norm.weight.fill_(1.0)
        norm.bias.zero_()
        plain = float((child(x) - wanted).norm() / wanted.norm())
    assert near < plain / 2


def test_a_separable_convolution_takes_the_nearest_product_of_two():
    parent = built(layer("conv"))
    child, exact = child_of(parent, layer("separable"))
    assert not exact
    made = step(child, "stage 0", 0, "main", "separable").dense().numpy()
    for channel, kernels in enumerate(weights(parent, 0).numpy().swapaxes(0, 1)):
        matrix = kernels.reshape(len(kernels), -1)
        left = np.ones(len(matrix))
        for _ in range(2000):  # alternating least squares finds the best product of two, too
            right = left @ matrix / (left @ left)
            left = matrix @ right / (right @ right)
        np.testing.assert_allclose(made[:, channel].reshape(matrix.shape), np.outer(left, right), atol=1e-8)


def test_a_convolution_can_begin_as_a_separable_one():
    parent = built(layer("separable"), layer())
    child, exact = child_of(parent, layer("conv", kernel=5), layer())
    assert exact
    torch.testing.assert_close(outputs(child), outputs(parent))


def test_of_a_layer_with_fewer_filters_the_largest_stay():
    parent = built(layer(width=8), layer())
    child, exact = child_of(parent, layer(width=6), layer())
    assert not exact
    norms = weights(parent, 0).abs().sum((1, 2, 3))
    kept = sorted(norms.argsort()[2:].tolist())
    torch.testing.assert_close(weights(child, 0), weights(parent, 0)[kept], rtol=0, atol=0)
    torch.testing.assert_close(weights(child, 1), weights(parent, 1)[:, kept], rtol=0, atol=0)


def test_a_linear_layer_that_is_removed_leaves_one_convolution_that_is_both():
    """Where all of a layer's outputs are positive its ReLU is a line, and the two convolutions are one."""
    parent = built(layer(), layer(), layer())
    norm = step(parent, "stage 0", 1, "main", "norm").norm
    norm.bias.data.fill_(30.0)
    child, exact = child_of(parent, layer(), layer(kernel=5))
    assert not exact
    inside = {}
    for name, network, block in (("parent", parent, 2), ("child", child, 1)):
        step(network, "stage 0", block, "main", "norm").register_forward_hook(
            lambda module, args, out, name=name: inside.update({name: args[0][:, :, 2:-2, 2:-2]})
        )
        outputs(network)
    # What the line adds to it is the same everywhere but at the border, for batch-norm to remove.
    centred = [inside[name] - inside[name].mean((0, 2, 3), keepdim=True) for name in ("parent", "child")]
    torch.testing.assert_close(*centred)


@pytest.mark.parametrize(
    ("change", "least"),
    [("remove", 0.5), ("prune", 0.85), ("separable", 0.8), ("kernel", 0.9)],
)
def test_what_is_no_morphism_begins_near_its_parent(change, least):
    """Accuracy on digits without a step of training, batch-norm's statistics seen anew; a fresh network has 0.1."""
    task = aw.tasks.digits()
    widths, kernels = (12, 16), (3, 5)
    space = aw.spaces.growing(max_layers=2, widths=widths, kernels=kernels, stages=2)

    def stages(*second):
        first = [layer(width=16), layer(width=16)]
        return decided_as(space, {"stages": [first, list(second)], "widths": widths, "kernels": kernels})

    whole = [layer(width=16), layer(width=16, kernel=5)]
    smaller = {
        "remove": whole[1:],
        "prune": [layer(width=12), whole[1]],
        "separable": [layer("separable", width=16), whole[1]],
        "kernel": [whole[0], layer(width=16, kernel=3)],
    }
    torch.manual_seed(0)
    parent = space.build(stages(*whole), task.signature)
    fit = Fit(parent, task, task.train, Hyperparameters(batch_size=64), 5, 0, torch.device("cpu"))
    for _ in range(5):
        fit.run_epoch()
    child = space.build(stages(*smaller[change]), task.signature)
    assert not child.inherit(parent, torch.Generator().manual_seed(0))
    child.train()
    for module in child.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        child(task.prepare(task.train.inputs))
    assert score(parent, task, task.valid, torch.device("cpu"))["accuracy"] > 0.95
    assert score(child, task, task.valid, torch.device("cpu"))["accuracy"] > least


def test_separable_layers_that_stand_for_one_take_over_its_factors():
    parent = built(layer("separable", width=6))
    child, exact = child_of(parent, layer("separable", width=8, kernel=5))
    assert exact
    before, after = (step(network, "stage 0", 0, "main", "separable") for network in (parent, child))
    assert isinstance(after, Separable)
    torch.testing.assert_close(after.depthwise.weight, functional.pad(before.depthwise.weight, [1] * 4))


@pytest.mark.parametrize("seed", range(40))
def test_the_likeliest_alignments_are_those_of_brute_force(seed):
    """Ties too: costs are few, as those of blocks are."""
    rng = random.Random(seed)
    columns = rng.randint(1, 9)
    rows = rng.randint(1, columns)
    costs = [[rng.choice((0, 0, 1, 2, 10, 20)) for _ in range(columns)] for _ in range(rows)]
    for most in (1, 7, 100):
        wanted = heapq.nsmallest(
            most,
            combinations(range(columns), rows),
            key=lambda taken: sum(costs[row][column] for row, column in enumerate(taken)),
        )
        assert _cheapest(costs, most) == wanted


@pytest.mark.parametrize("flip", [False, True])
def test_blocks_find_their_partners_in_networks_of_any_depth(flip):
    """155 million ways to lay 15 layers beside 30."""
    space = aw.spaces.eas(blocks=1, max_layers=30, kernels=(1, 3, 5), widths=(4, 8), units=(8,))
    offered = {"kernels": (1, 3, 5), "widths": (4, 8), "units": (8,)}
    layers = [{"kernel": (1, 3, 5)[place % 3], "width": 8 if place < 8 else 4} for place in range(15)]
    doubled = [layer for layer in layers for _ in range(2)]
    short, long = (
        space.build(decided_as(space, {"blocks": [given], "dense": [8], **offered}), SIGNATURE)
        for given in (layers, doubled)
    )
    child, parent = (short, long) if flip else (long, short)
    places = [place for place, step in enumerate(child.plan) if step.key[0] == "block 0"]
    start = time.process_time()
    mapping = next(child.alignments(places, parent))
    assert time.process_time() - start < 1.0
    partners = {ours[1]: theirs[1] for ours, theirs in mapping.items()}
    assert partners == ({n: 2 * n for n in range(15)} if flip else {2 * n: n for n in range(15)})


def test_the_papers_widths():
    """EAS' numbers of filters (SURVEY S4)."""
    space = aw.spaces.eas()
    first = aw.spaces.trace(space, lambda _, choice: aw.spaces.operators.first(choice))
    width, reached = first, [16]
    while wider := [m.architecture for m in aw.spaces.morphs(space, width) if m.kind == "widen"][:1]:
        if space.resolve(wider[0])["blocks"][0][0]["width"] == reached[-1]:
            break  # the first layer is at its widest, and the next one's turn has come
        width = wider[0]
        reached.append(space.resolve(width)["blocks"][0][0]["width"])
    assert reached == [16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640]


def test_the_size_of_the_space_is_the_number_of_its_layers_to_the_power_of_its_depths():
    space = aw.spaces.growing(stages=2, max_layers=2, widths=(4, 8, 12), kernels=(3,))
    plain, branches = 2 * 1 * 3, 1 + 2 * 1 + 2 * 1 * 3
    first, second = (plain * branches * (1 + 2 * sources) for sources in (1, 2))
    assert aw.spaces.size(space) == (first + first * second) ** 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"widths": (16, 8)}, "widths have to be numbers that rise"),
        ({"kernels": ()}, "kernels have to be numbers that rise"),
        ({"kernels": (2, 3)}, "kernels need a middle, so they have to be odd"),
    ],
)
def test_numbers_to_grow_along_have_to_rise(given, words):
    with pytest.raises(BadSpace, match=words):
        aw.spaces.growing(**given)
    with pytest.raises(BadSpace, match=words):
        aw.spaces.eas(**given)


def test_branches_and_skips_in_the_graph():
    """A skip to another tensor is another graph, and a merge in another way too."""
    skips = [None, *({"merge": merge, "source": source} for merge in ("sum", "concat") for source in (0, 1))]
    other = {"op": "conv", "kernel": 3}
    branches = [None, {"merge": "sum", **other}, {"merge": "concat", **other, "width": 4}]
    keys = {SPACE.key(decided(layer(), layer(branch=branch, skip=skip))) for branch in branches for skip in skips}
    assert len(keys) == len(skips) * len(branches)
