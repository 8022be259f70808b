import io

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.supernets import Judge, OpenNetwork, Relaxation, Step
from archwright.supernets.bilevel import first_order
from archwright.supernets.curvature import EigenvalueStop, dominant_eigenvalue, largest_eigenvalue
from archwright.tasks.task import Split, Splits, Task
from tests.supernets.nodes import SIGNATURE, batch, space


@pytest.fixture
def relaxation():
    torch.manual_seed(5)
    return Relaxation(OpenNetwork(space(), SIGNATURE).double(), first_order, spread=1.0).double()


@pytest.fixture
def step(relaxation):
    network = relaxation.network

    def loss(given):
        return nn.functional.cross_entropy(network(given[0]), given[1])

    return Step(network, loss, batch(1), batch(2), torch.optim.SGD(network.parameters(), 0.1))


def test_the_eigenvalue_is_that_of_the_whole_hessian(relaxation, step):
    def loss(*rows):
        relaxation.network.mix({name: torch.softmax(row, 0) for name, row in zip(relaxation.names, rows, strict=True)})
        return step.loss(step.valid)

    rows = tuple(row.detach() for row in relaxation.logits)
    blocks = torch.autograd.functional.hessian(loss, rows)
    hessian = torch.cat([torch.cat(list(row), dim=1) for row in blocks])
    wanted = torch.linalg.eigvalsh(hessian)[-1].item()
    assert wanted > 1e-4
    assert dominant_eigenvalue(relaxation, step, tolerance=0.0) == pytest.approx(wanted, rel=1e-9)
    assert dominant_eigenvalue(relaxation, step) == pytest.approx(wanted, rel=1e-3)


def eigenvalue(matrix, tolerance=0.0):
    """The largest, and how many products it took."""
    products = []

    def times(vector):
        products.append(vector)
        return matrix @ vector

    start = torch.randn(len(matrix), dtype=matrix.dtype, generator=torch.Generator().manual_seed(0))
    return largest_eigenvalue(times, start, tolerance), len(products)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 60])
def test_the_largest_is_not_the_one_of_largest_magnitude(size):
    torch.manual_seed(size)
    for _ in range(5):
        matrix = torch.randn(size, size, dtype=torch.float64)
        matrix = matrix + matrix.T - 2.0 * torch.eye(size, dtype=torch.float64)
        largest, products = eigenvalue(matrix)
        assert largest == pytest.approx(torch.linalg.eigvalsh(matrix)[-1].item(), rel=1e-9, abs=1e-9)
        assert products <= size


def test_matrices_that_leave_no_direction_to_go_on_in():
    assert eigenvalue(torch.zeros(4, 4, dtype=torch.float64)) == (0.0, 1)
    largest, products = eigenvalue(3.0 * torch.eye(4, dtype=torch.float64))
    assert (pytest.approx(largest), products) == (3.0, 1)


def test_a_tolerance_saves_products():
    torch.manual_seed(0)
    factors = torch.randn(200, 20)
    matrix = factors @ factors.T + 50 * torch.outer(factors[:, 0], factors[:, 0])
    largest, products = eigenvalue(matrix, tolerance=1e-3)
    assert largest == pytest.approx(torch.linalg.eigvalsh(matrix.double())[-1].item(), rel=1e-3)
    assert products < 10


def test_the_rise_is_found_as_in_a_plain_loop():
    """Against the definition: averages of five around each epoch, compared four epochs apart, from epoch 10 on."""
    stop = EigenvalueStop()
    found = 0
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        eigenvalues = (0.2 + 0.1 * torch.rand(50, generator=generator).cumsum(0) ** (seed / 20)).tolist()
        for known in range(1, 51):
            averages = {middle: sum(eigenvalues[middle - 2 : middle + 3]) / 5 for middle in range(2, known - 2)}
            middle = known - 3
            rises = middle - 4 >= 10 and averages[middle] / averages[middle - 4] > 1.3
            assert stop.before_rise(eigenvalues[:known]) == (middle - 4 if rises else None)
            found += rises
    assert 100 < found < 1000


@pytest.mark.parametrize(
    ("before", "now", "rises"),
    [
        (-1.0, -1.0, False),
        (-1.0, -1.2, False),
        (-1.0, -0.75, False),
        (-1.0, -0.65, True),
        (-1.0, 0.2, True),
        (0.0, 0.0, False),
        (0.0, 0.1, True),
        (1.0, 1.25, False),
        (1.0, 1.35, True),
        (1.0, -1.0, False),
    ],
)
def test_a_rise_is_one_whatever_the_sign(before, now, rises):
    eigenvalues = [before] * 13 + [now] * 5
    assert EigenvalueStop(delta=5).before_rise(eigenvalues) == (10 if rises else None)


def test_it_returns_to_the_architecture_of_before_and_survives_a_restart(relaxation, step):
    judge = Judge(lambda: 0.0, lambda rate: None, lambda: step)
    stop = EigenvalueStop(window=1, delta=2, factor=0.0, begin=1)
    relaxation.stop = stop
    stood = []
    for epoch in range(3):
        stood.append(relaxation.architecture())
        assert relaxation.finished(judge) is None
        with torch.no_grad():  # another one each epoch
            for row in relaxation.logits:
                row.copy_(torch.eye(3, dtype=torch.float64)[epoch % 2] + 0.01 * epoch)
    kept = io.BytesIO()
    torch.save(relaxation.state(), kept)
    kept.seek(0)
    again = Relaxation(relaxation.network, first_order).double()
    again.load_state(torch.load(kept, weights_only=True))
    again.stop = stop
    assert stood[0] != stood[1]
    assert again.finished(judge) == stood[1]


def test_a_search_ends_with_the_architecture_of_before_the_rise():
    generator = torch.Generator().manual_seed(0)
    split = Split(torch.randn(32, 1, 5, 5, generator=generator), torch.arange(32) % 3)
    task = Task("noise", lambda: Splits(split, split, split, ("a", "b", "c")))
    estimator = aw.estimators.WeightSharing(task, epochs=5)
    strategy = aw.strategies.RobustDARTS(aw.strategies.DARTS(), window=1, delta=1, factor=0.0, begin=1)
    found = list(aw.search(space(), strategy, estimator, objectives="valid_accuracy"))
    assert [evaluation.trial.fidelity for evaluation in found] == [0.2, 0.4, 1.0]
    assert found[-1].trial.architecture == found[-2].trial.architecture


def test_only_a_strategy_that_relaxes_the_space_may_be_stopped_or_selected_from():
    for make in (aw.strategies.RobustDARTS, aw.strategies.DARTSPT):
        with pytest.raises(aw.ArchwrightError, match="such as DARTS, not Random"):
            make(aw.strategies.Random())


def test_any_gradient_strategy_may_be_stopped():
    for of in (aw.strategies.DARTS(), aw.strategies.PCDARTS(parts=2), aw.strategies.DrNAS()):
        robust = aw.strategies.RobustDARTS(of, window=3)
        torch.manual_seed(0)
        made = robust.relax(OpenNetwork(space(), SIGNATURE))
        assert isinstance(made, type(of.relax(OpenNetwork(space(), SIGNATURE))))
        assert made.stop == EigenvalueStop(window=3)
