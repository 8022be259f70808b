"""The open network against the reference formulation of DARTS, which stands in benchmarks/."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.supernets import Relaxation, Step
from archwright.supernets.bilevel import first_order, unrolled

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import darts_reference

SIGNATURE = aw.Signature((2, 8, 8), 5)


@pytest.fixture(params=["kernels", "plain PyTorch"])
def both(request, monkeypatch):
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", str(int(request.param == "kernels")))
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    reference, network, relaxation = darts_reference.pair(SIGNATURE, cells=3, channels=4)
    for alpha in reference.alphas:
        nn.init.normal_(alpha)
    darts_reference.copy_to_ours(reference, network, relaxation)
    yield reference, network, relaxation
    torch.set_default_dtype(before)


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, *SIGNATURE.input_shape, generator=generator), torch.randint(5, (6,), generator=generator)


def test_equal_outputs_and_gradients(both):
    found = darts_reference.differences(*both, batch(0))
    assert max(found.values()) < 1e-10


@pytest.mark.parametrize("order", [first_order, unrolled])
def test_equal_searches(both, order):
    """Two steps of architecture and weights in turn. The unrolled step has a difference of gradients in it."""
    reference, network, _ = both
    relaxation = Relaxation(network, order)
    darts_reference.copy_to_ours(reference, network, relaxation)
    theirs = darts_reference.ReferenceSearch(reference)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learnt, 0.025, momentum=0.9, weight_decay=3e-4)
    for number in range(2):
        train, valid = batch(2 * number), batch(2 * number + 1)
        if order is first_order:
            theirs.first_order(valid)
        else:
            theirs.unrolled(train, valid)
        theirs.weight_step(train)
        relaxation.learn(Step(network, lambda data: darts_reference.loss_of(network, data), train, valid, optimizer))
        optimizer.zero_grad()
        for _ in relaxation.draws():
            darts_reference.loss_of(network, train).backward()
        nn.utils.clip_grad_norm_(learnt, 5.0)
        optimizer.step()
    ours = torch.stack([row.detach() for row in relaxation.logits])
    wanted = torch.cat(reference.alphas).detach().roll(-1, 1)
    assert torch.allclose(ours, wanted, rtol=0, atol=1e-8)
    for one, two in zip(darts_reference.layers(network), darts_reference.layers(reference), strict=True):
        assert torch.allclose(one, two, rtol=0, atol=1e-8)
