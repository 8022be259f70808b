from functools import partial
from itertools import combinations

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.choices import BadSpace, Choice
from archwright.spaces import ops
from archwright.spaces.opening import opened
from archwright.supernets import OpenNetwork, Step
from archwright.supernets.bilevel import first_order
from archwright.supernets.mixed import Mixed
from archwright.supernets.partial import PartialChoice, PartialMixed, partial_channels
from archwright.supernets.relaxations.pc_darts import NormalizedEdges
from tests.supernets.nodes import SIGNATURE, Reader, batch, pointwise, space, squashed


def open_op(*ops, parts):
    """An open op on its own."""
    declared = aw.Space(lambda op: op, op=Choice(*ops))
    arguments, _ = opened(declared, partial(PartialChoice, parts=parts))
    return arguments["op"]


def shuffled(joined, parts):
    """The first of each part, then the second of each, and so on."""
    width = joined.shape[1] // parts
    return torch.stack([joined[:, part * width + place] for place in range(width) for part in range(parts)], dim=1)


@pytest.mark.parametrize(("stride", "size"), [(1, 5), (2, 6), (2, 7)])
def test_one_part_of_the_channels_is_mixed_and_the_others_pass_by(stride, size):
    torch.manual_seed(0)
    op = open_op(pointwise, squashed, parts=4)
    module = op(8, 8, stride).double()
    op.mix([0.3, 0.7])
    x = torch.randn(2, 8, size, size, dtype=torch.float64)
    first, second = module.mixed.candidates
    made = 0.3 * first(x[:, :2]) + 0.7 * second(x[:, :2])
    joined = [made[:, channel] for channel in range(2)]
    for channel in range(2, 8):
        image = x[:, channel]
        if stride == 2:  # the largest of each square of 2 x 2, at the border of what there is of it
            rows = [
                torch.stack([image[:, y : y + 2, z : z + 2].amax((1, 2)) for z in range(0, size, 2)], dim=-1)
                for y in range(0, size, 2)
            ]
            image = torch.stack(rows, dim=1)
        joined.append(image)
    assert torch.allclose(module(x), shuffled(torch.stack(joined, dim=1), 4), rtol=0, atol=1e-12)


def test_an_op_that_changes_the_channels_is_mixed_in_full():
    op = open_op(pointwise, squashed, parts=4)
    assert isinstance(op(8, 8, 1), PartialMixed)
    assert isinstance(op(in_channels=8, out_channels=8), PartialMixed)
    assert isinstance(op(3, 8, 1), Mixed)
    assert isinstance(open_op(nn.Identity, nn.Tanh, parts=4)(), Mixed)


def test_channels_that_can_not_be_divided_are_refused_in_the_users_words():
    with pytest.raises(BadSpace, match="8 channels can't be divided into 3 parts"):
        partial_channels(OpenNetwork(space(), SIGNATURE), 3)


def test_the_network_is_opened_anew_as_the_first_one_was():
    network = OpenNetwork(aw.spaces.nasbench201(cells=1, channels=4), SIGNATURE, affine=False)
    again = partial_channels(network, 2)
    assert partial_channels(network, 1) is network
    assert list(again.choices) == list(network.choices)
    learns = [parameter.requires_grad for _, parameter in again.named_parameters()]
    assert sum(learns) == sum(parameter.requires_grad for _, parameter in network.named_parameters())
    assert {type(edge) for edge in again.network.body[0].edges.values()} == {PartialMixed}


@pytest.fixture
def relaxation():
    torch.manual_seed(3)
    return NormalizedEdges(OpenNetwork(space(), SIGNATURE).double(), gradient=first_order, spread=1.0, warmup=0.3)


def test_an_edges_weight_times_the_candidates_weights(relaxation):
    relaxation.double()
    images, _ = batch(0)
    network = relaxation.network
    relaxation.apply_weights()
    reader: Reader = network.network
    beta = torch.exp(relaxation.edges[0]) / torch.exp(relaxation.edges[0]).sum()
    total = 0.0
    for source, state in enumerate(reader.states(images)):
        row = torch.exp(relaxation.logits[source])  # the third is for taking no part
        alpha = row / row.sum()
        first, second = reader.edges[str(source)].candidates
        total = total + beta[source] * (alpha[0] * first(state) + alpha[1] * second(state))
    assert torch.allclose(network(images), reader.head(total.mean((2, 3))), rtol=0, atol=1e-12)


def test_the_items_kept_are_those_of_the_largest_products(relaxation):
    for seed in range(20):
        torch.manual_seed(seed)
        with torch.no_grad():
            for row in relaxation.parameters():
                row.normal_(std=2.0)
        beta = torch.softmax(relaxation.edges[0], 0).tolist()
        alpha = [torch.softmax(row, 0)[:2].max().item() for row in relaxation.logits]
        pairs = list(combinations(range(3), 2))
        wanted = max(pairs, key=lambda pair: sum(beta[place] * alpha[place] for place in pair))
        assert pairs[relaxation.architecture()["reads"]] == wanted


def test_only_the_weights_learn_in_the_warm_up(relaxation):
    relaxation.double()
    network = relaxation.network

    def loss(given):
        return nn.functional.cross_entropy(network(given[0]), given[1])

    step = Step(network, loss, batch(1), batch(2), torch.optim.SGD(network.parameters(), 0.1))
    before = [row.detach().clone() for row in relaxation.parameters()]
    for epoch in range(10):
        relaxation.begin(epoch, 10)
        relaxation.learn(step)
        moved = [not torch.equal(row, old) for row, old in zip(relaxation.parameters(), before, strict=True)]
        assert all(moved) if epoch >= 3 else not any(moved)


def test_ops_that_read_one_tensor_give_the_same_together():
    torch.manual_seed(0)
    modules = [op(8, 8, stride).double() for op in [open_op(pointwise, squashed, parts=4)] for stride in (2, 1, 2)]
    modules += [open_op(pointwise, parts=2)(8, 8, 2).double(), open_op(pointwise, parts=4)(8, 3, 2).double()]
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    together = modules[0].at_once(modules, x)
    for module, made in zip(modules, together, strict=True):
        assert torch.allclose(made, module(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kind", "shape"), [("vectors", (5, 8)), ("sequences", (5, 8, 6))])
def test_channels_of_what_is_no_image_are_divided_too(kind, shape, stride):
    """A stride means an image's; what passes by keeps its shape, as the candidates here do."""
    torch.manual_seed(0)
    op = open_op(*CANDIDATES[kind], parts=4)
    module = op(8, 8, stride).double()
    op.mix([0.3, 0.7])
    x = torch.randn(shape, dtype=torch.float64)
    first, second = module.mixed.candidates
    made = 0.3 * first(x[:, :2]) + 0.7 * second(x[:, :2])
    wanted = shuffled(torch.cat([made, x[:, 2:]], dim=1), 4)
    assert torch.allclose(module(x), wanted, rtol=0, atol=1e-12)
    assert torch.allclose(module.at_once([module], x)[0], wanted, rtol=0, atol=1e-12)


def test_images_keep_their_layout():
    module = open_op(pointwise, squashed, parts=4)(8, 8, 1)
    x = torch.randn(2, 8, 5, 5).contiguous(memory_format=torch.channels_last)
    assert module(x).is_contiguous(memory_format=torch.channels_last)
    assert module(x.contiguous()).is_contiguous()


class Single(nn.Module):
    def __init__(self, signature, op, channels=8):
        super().__init__()
        self.op = op(channels, channels, 1)

    def forward(self, x):
        return self.op(x)


def linear(in_channels, out_channels, stride):
    return nn.Linear(in_channels, out_channels)


def squashed_linear(in_channels, out_channels, stride):
    return nn.Sequential(nn.Linear(in_channels, out_channels), nn.Tanh())


def along_time(in_channels, out_channels, stride):
    return nn.Conv1d(in_channels, out_channels, 3, padding=1)


def far_along_time(in_channels, out_channels, stride):
    return nn.Conv1d(in_channels, out_channels, 5, padding=2)


CANDIDATES = {"vectors": (linear, squashed_linear), "sequences": (along_time, far_along_time)}


@pytest.mark.parametrize("shape", [(6, 8), (8, 8), (16, 8)])
@pytest.mark.parametrize("strategy", [aw.strategies.PCDARTS(parts=2), aw.strategies.DrNAS(parts=2)])
def test_channels_that_are_not_the_first_axis_are_refused_in_the_users_words(shape, strategy):
    network = OpenNetwork(aw.Space(Single, op=Choice(*CANDIDATES["vectors"])), aw.Signature(shape, 2))
    with pytest.raises(BadSpace, match=r"divides channels, the first axis of an example.*Single.*; use parts=1"):
        strategy.relax(network)
    assert type(strategy)(parts=1).relax(network).network is network


def test_a_network_that_fails_in_full_too_is_not_said_to_fail_for_its_parts():
    network = OpenNetwork(aw.Space(Single, op=Choice(*CANDIDATES["vectors"])), aw.Signature((5,), 2))
    assert isinstance(partial_channels(network, 2), OpenNetwork)


def test_vectors_are_searched():
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(48, 8, generator=generator), torch.arange(48) % 8
    task = aw.tasks.arrays(inputs.numpy(), targets.numpy())
    estimator = aw.estimators.WeightSharing(task, epochs=2, device="cpu")
    declared = aw.Space(Single, op=Choice(*CANDIDATES["vectors"]))
    run = aw.search(declared, aw.strategies.PCDARTS(parts=2), estimator, objectives="valid_accuracy")
    assert [evaluation.failure for evaluation in run] == [None, None]


def test_to_look_whether_parts_fit_changes_no_draw():
    declared = aw.Space(Single, op=Choice(ops.noise, ops.identity))
    network, states = OpenNetwork(declared, aw.Signature((8, 4, 4), 2)), []
    for make in (partial_channels, lambda *_: OpenNetwork(declared, network.signature)):
        torch.manual_seed(0)
        make(network, 2)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
