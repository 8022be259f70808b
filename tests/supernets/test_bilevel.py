from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations, product

import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.operators import enumerate_all, sample
from archwright.supernets import OpenNetwork, Relaxation, Step, bilevel
from archwright.supernets.bilevel import first_order, single_level, unrolled
from tests.supernets.small import chain, node, opened, spread_out, step_of


class Entropy:
    """A penalty that is no cost of a network, but has a gradient of its own."""

    def over(self, network):
        return lambda probabilities: sum(-(row * row.log()).sum() for row in probabilities.values())


def relaxed(space, gradient, **settings):
    network = opened(space)
    return spread_out(Relaxation(network, gradient, **settings)), step_of(network)


def by_hand(network, logits, inputs):
    """The mixture of a `Chain` written out: each op is the sum of its candidates by their softmax."""
    x = network.network.stem(inputs)
    for mixed, row in zip(network.network.ops, logits, strict=True):
        weights = row.exp() / row.exp().sum()
        x = sum(weights[place] * candidate(x) for place, candidate in enumerate(mixed.candidates))
    return network.network.head(x)


@pytest.mark.parametrize(("gradient", "split"), [(first_order, "valid"), (single_level, "train")])
def test_first_order_is_the_gradient_of_the_mixture_written_out(gradient, split):
    relaxation, step = relaxed(chain(), gradient)
    inputs, targets = getattr(step, split)
    rows = [row.detach().clone().requires_grad_() for row in relaxation.logits]
    loss = ((by_hand(step.network, rows, inputs) - targets) ** 2).mean()
    wanted = torch.autograd.grad(loss, rows)
    for made, row in zip(gradient(relaxation, step), wanted, strict=True):
        torch.testing.assert_close(made, row, rtol=1e-10, atol=1e-14)
    assert all(parameter.grad is None for parameter in step.network.parameters())


def exact(relaxation, step):
    """The derivative through one step of SGD with momentum and weight decay, by autograd through the step."""
    network, own = step.network, list(relaxation.parameters())
    names, weights = zip(*network.named_parameters(), strict=True)
    relaxation.apply_weights()
    gradients = torch.autograd.grad(step.loss(step.train), weights, create_graph=True)
    settings = {id(weight): group for group in step.optimizer.param_groups for weight in group["params"]}
    moved = {}
    for name, weight, gradient in zip(names, weights, gradients, strict=True):
        group, buffer = settings[id(weight)], step.optimizer.state[weight]["momentum_buffer"]
        velocity = group["momentum"] * buffer + gradient + group["weight_decay"] * weight
        moved[name] = weight.detach() - group["lr"] * velocity
    outputs = functional_call(network, moved, (step.valid[0],))
    return torch.autograd.grad(torch.nn.functional.mse_loss(outputs, step.valid[1]), own)


def flat(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def test_unrolled_is_close_to_the_derivative_through_the_weight_step():
    relaxation, step = relaxed(chain(), unrolled)
    wanted = flat(exact(relaxation, step))
    made = flat(unrolled(relaxation, step))
    assert (made - wanted).norm() < 1e-5 * wanted.norm()
    # the second-order term is no small change, so the figure above does test it
    assert (flat(first_order(relaxation, step)) - wanted).norm() > 0.05 * wanted.norm()


def test_without_a_learning_rate_unrolled_is_first_order():
    relaxation, step = relaxed(chain(), unrolled)
    for group in step.optimizer.param_groups:
        group["lr"] = 0.0
    for made, wanted in zip(unrolled(relaxation, step), first_order(relaxation, step), strict=True):
        torch.testing.assert_close(made, wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gradient", [first_order, single_level, unrolled])
def test_a_penalty_adds_its_own_gradient(gradient):
    plain, step = relaxed(chain(), gradient)
    penalized, same = relaxed(chain(), gradient, penalty=Entropy())
    (row, *_) = plain.logits
    softmax = torch.softmax(row.detach(), 0)
    entropy = -(softmax * softmax.log()).sum()
    added = gradient(penalized, same)[0] - gradient(plain, step)[0]
    torch.testing.assert_close(added, -softmax * (softmax.log() + entropy), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("gradient", [first_order, single_level, unrolled])
def test_an_architecture_step_leaves_no_trace_in_the_network(gradient):
    """Neither in the weights, bit for bit, nor in batch-norm's running statistics; only weight steps move them."""
    relaxation, step = relaxed(chain(norm=True), gradient)
    before = {name: tensor.clone() for name, tensor in step.network.state_dict().items()}
    logits = [row.detach().clone() for row in relaxation.logits]
    relaxation.learn(step)
    for name, tensor in step.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(not torch.equal(row, old) for row, old in zip(relaxation.logits, logits, strict=True))
    step.loss(step.train)
    assert not torch.equal(step.network.state_dict()["network.norm.running_mean"], before["network.norm.running_mean"])


@pytest.mark.parametrize("gradient", [first_order, unrolled])
def test_nor_in_the_batch_norms_of_its_ops(gradient):
    network = OpenNetwork(aw.spaces.nasbench201(cells=1, channels=2), aw.Signature((1, 8, 8), 10))
    batch = torch.randn(4, 1, 8, 8), torch.tensor([1, 2, 3, 4])
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    step = Step(network, lambda batch: cross_entropy(network(batch[0]), batch[1]), batch, batch, optimizer)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    Relaxation(network, gradient).learn(step)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    step.loss(step.train)
    changed = [name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])]
    assert any("candidates" in name and "running_mean" in name for name in changed)


def test_weights_are_back_even_if_the_loss_fails():
    relaxation, step = relaxed(chain(), unrolled)
    before = [parameter.detach().clone() for parameter in step.network.parameters()]
    calls = []

    def fails_at_second(batch):
        calls.append(batch)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("out of memory")
        return step.loss(batch)

    with pytest.raises(torch.OutOfMemoryError):
        unrolled(relaxation, type(step)(step.network, fails_at_second, step.train, step.valid, step.optimizer))
    assert all(map(torch.equal, step.network.parameters(), before))


@pytest.mark.parametrize("seed", range(10))
def test_the_architecture_is_the_best_of_all_by_strength(seed):
    """By brute force: two edges and an op for each, so that what was taken is strongest; `none` never is."""
    network = opened(node())
    relaxation = spread_out(Relaxation(network, first_order), seed)
    strength = [torch.softmax(row.detach(), 0)[:3].tolist() for row in relaxation.logits]
    best = max(
        (sum(strength[edge][op] for edge, op in zip(edges, ops, strict=True)), edges, ops)
        for edges in combinations(range(4), 2)
        for ops in product(range(3), repeat=2)
    )
    _, edges, ops = best
    choice = network.choices["node"].choice
    wanted = {"node": choice.combinations.index(edges)} | {
        f"node[{edge}].op": op for edge, op in zip(edges, ops, strict=True)
    }
    assert relaxation.architecture().as_dict() == wanted
    assert relaxation.architecture() in set(enumerate_all(network.space))


def test_weights_open_what_an_architecture_had_decided():
    relaxation, step = relaxed(node(), first_order)
    relaxation.apply_weights()
    wanted = step.network(step.valid[0])
    step.network.decide(sample(step.network.space, Streams(0)[0]))
    relaxation.apply_weights()
    assert torch.equal(step.network(step.valid[0]), wanted)


def test_only_the_two_sides_of_the_difference_are_unrounded(monkeypatch):
    """Mixed precision would round them to 8 bits, a GPU's convolutions to 10."""
    relaxation, step = relaxed(chain(), unrolled)
    computed, unrounded = [], []

    @contextmanager
    def watched(device):
        unrounded.append(device.type)
        yield
        unrounded.append("ended")

    def forward(module, inputs):
        computed.append((torch.is_autocast_enabled("cpu"), len(unrounded) % 2 == 1))

    monkeypatch.setattr(bilevel, "_unrounded", watched)
    step.network.register_forward_pre_hook(forward)
    unrolled(relaxation, replace(step, precision=partial(torch.autocast, "cpu", torch.bfloat16)))
    assert computed == [(True, False), (True, False), (False, True), (False, True)]
    assert unrounded == ["cpu", "ended"] * 2


@pytest.mark.parametrize("per_operation", [True, False])
def test_convolutions_of_a_gpu_are_not_rounded_to_tf32_there(per_operation, monkeypatch):
    cudnn = torch.backends.cudnn
    if not per_operation:
        monkeypatch.delattr(type(cudnn), "conv", raising=False)  # as before torch 2.9
    names = ("enabled", "benchmark", "deterministic", "allow_tf32")
    with cudnn.flags(enabled=True, benchmark=True, deterministic=True, allow_tf32=True):
        before = [getattr(cudnn, name) for name in names]
        with bilevel._unrounded(torch.device("cpu")):
            assert [getattr(cudnn, name) for name in names] == before
        with bilevel._unrounded(torch.device("cuda")):
            assert [getattr(cudnn, name) for name in names[:3]] == before[:3]
            if hasattr(cudnn, "conv"):
                assert cudnn.conv.fp32_precision == "ieee"
            else:
                assert not cudnn.allow_tf32
        assert [getattr(cudnn, name) for name in names] == before
