import numpy as np
import pytest
import torch
from scipy.special import digamma, gammaln

from archwright.supernets import OpenNetwork
from archwright.supernets.bilevel import first_order
from archwright.supernets.relaxations.dr_nas import DirichletWeights
from tests.supernets.nodes import SIGNATURE, space
from tests.supernets.small import Reads

ROW = torch.tensor([0.8, -0.5, 0.2])


@pytest.fixture
def relaxation():
    torch.manual_seed(0)
    made = DirichletWeights(OpenNetwork(space(), SIGNATURE), anchor=0.1, gradient=first_order)
    with torch.no_grad():
        made.logits[0].copy_(ROW)
    return made


def concentrations(row):
    """elu(x) + 1, written out."""
    return torch.where(row > 0, row + 1, row.exp())


def test_the_mean_is_what_it_stands_for(relaxation):
    wanted = concentrations(ROW) / concentrations(ROW).sum()
    assert torch.allclose(relaxation.probabilities()[relaxation.names[0]], wanted, rtol=0, atol=1e-6)
    relaxation.settle()
    now = relaxation.network.choices[relaxation.names[0]].weights  # the third, for taking no part, is no candidate
    assert [float(weight) for weight in now.values()] == pytest.approx(wanted[:2].tolist(), abs=1e-6)


def test_pathwise_gradients_average_to_the_gradient_of_the_expectation(relaxation):
    """E[w.c + w.A.w] of a Dirichlet is known: E[w_i w_j] = (b_i b_j + [i = j] b_i) / (s (s + 1)), s the sum of b."""
    linear, square = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([[2.0, 0.3, 0.0], [0.3, -1.0, 0.7], [0.0, 0.7, 1.0]])
    row = ROW.clone().requires_grad_()
    b = concentrations(row)
    s = b.sum()
    expectation = b @ linear / s + ((torch.outer(b, b) + torch.diag(b)) * square).sum() / (s * (s + 1))
    (wanted,) = torch.autograd.grad(expectation, row)

    torch.manual_seed(1)
    draws = []
    for _ in range(4000):
        drawn = relaxation.weights()[relaxation.names[0]]
        draws += torch.autograd.grad(drawn @ linear + drawn @ square @ drawn, relaxation.logits[0])
    gradients = torch.stack(draws)
    error = gradients.std(0) / len(draws) ** 0.5
    assert torch.all((gradients.mean(0) - wanted).abs() < 4 * error)
    assert torch.all(error < 0.2 * wanted.abs().max())


def test_the_anchor_is_the_divergence_from_the_uniform_distribution(relaxation):
    wanted = 0.0
    for row in relaxation.logits:
        b = concentrations(row.detach().double()).numpy()
        wanted += gammaln(b.sum()) - gammaln(b).sum() - gammaln(len(b))
        wanted += np.sum((b - 1) * (digamma(b) - digamma(b.sum())))
    assert relaxation.cost().item() == pytest.approx(0.1 * wanted, rel=1e-4)


def test_a_logit_however_low_has_a_distribution(relaxation):
    with torch.no_grad():
        relaxation.logits[0].copy_(torch.tensor([-100.0, 1.0, 1.0]))
    drawn = relaxation.weights()[relaxation.names[0]]
    assert torch.isfinite(drawn).all()
    assert torch.isfinite(torch.autograd.grad(drawn[1], relaxation.logits[0])[0]).all()


def test_a_draw_reads_no_number(relaxation):
    with Reads() as reads:
        relaxation.weights()
        relaxation.cost()
    assert reads.count == 0
