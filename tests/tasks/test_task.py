import json
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score
from torch.utils._python_dispatch import TorchDispatchMode

import archwright as aw
from archwright import registry
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe
from archwright.tasks import Hyperparameters, Split, Splits, Task
from archwright.training.loop import Fit, score


class Copies(TorchDispatchMode):
    """Counts the copies from one device to another."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._to_copy.default
        return function(*args, **(kwargs or {}))


def test_statistics_go_to_a_device_once():
    """A copy with each batch would make a GPU wait; `meta` stands for it."""
    task = aw.tasks.digits()
    inputs = torch.empty(4, 1, 8, 8, device="meta")
    assert task.prepare(inputs).device == inputs.device
    with Copies() as copies:
        task.prepare(inputs)
    assert copies.count == 0


def test_a_task_travels_without_its_data():
    task = aw.tasks.digits()
    prepared = task.prepare(task.valid.inputs)
    bare = pickle.dumps(aw.tasks.digits())
    sent = pickle.dumps(task)
    assert len(sent) == len(bare)
    assert torch.equal(pickle.loads(sent).prepare(task.valid.inputs), prepared)


def regression(scale=(1.0,), offset=(0.0,), seed=0):
    """A task with linear targets of that scale and offset, an output each."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(200, 4))
    targets = (inputs @ generator.normal(size=(4, len(scale)))) * scale + offset
    return aw.tasks.arrays(inputs, targets)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (5e4, 2e5), (1e-3, 0.0), (1e-9, 0.0), (1e30, -1e30)])
def test_a_regression_learns_whatever_the_units(scale, offset):
    task = regression((scale,), (offset,))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    device = torch.device("cpu")
    given = replace(task.hyperparameters, batch_size=16)
    fit = Fit(network, task, task.train, given, 60, 0, device)
    for _ in range(60):
        fit.run_epoch()
    found = score(network, task, task.test, device)
    assert found["r2"] > 0.9
    assert found["rmse"] == pytest.approx(found["loss"] ** 0.5 * float(task.train.targets.double().std()), rel=1e-4)


def test_target_statistics_and_restore():
    task = regression((5e4, 1e-3), (2e5, -7.0))
    mean, deviation = task.target_statistics
    truth = task.train.targets.double()
    assert mean.dtype == deviation.dtype == torch.float32
    assert mean.shape == deviation.shape == (1, 2)
    assert torch.allclose(mean.double(), truth.mean(0, keepdim=True))
    assert torch.allclose(deviation.double(), truth.std(0, keepdim=True))
    assert torch.equal(task.restore(torch.zeros(3, 2)), mean.expand(3, 2))
    assert torch.allclose(task.restore(torch.ones(1, 2)), mean + deviation)


def test_each_output_counts_alike():
    task = regression((5e4, 1e-3), (2e5, -7.0))
    targets = task.train.targets
    mean, deviation = task.target_statistics
    outputs = (targets - mean) / deviation
    for output in range(2):
        wrong = outputs.clone()
        wrong[:, output] += 1.0
        assert float(task.loss(wrong, targets)) == pytest.approx(0.5, rel=1e-3)


def test_metrics_of_a_regression_are_those_of_scikit_learn():
    task = regression((5e4, 20.0, 3.0), (2e5, -7.0, 0.0))
    outputs = torch.randn(len(task.test), 3, generator=torch.Generator().manual_seed(0))
    found = task.metrics(zip(outputs.split(7), task.test.targets.split(7), strict=True))
    truth, answers = task.test.targets.double().numpy(), task.restore(outputs.double()).numpy()
    assert found["rmse"] == pytest.approx(mean_squared_error(truth, answers) ** 0.5)
    assert found["r2"] == pytest.approx(r2_score(truth, answers, multioutput="uniform_average"))
    assert found["loss"] == pytest.approx(float(task.loss(outputs, task.test.targets)))


@pytest.mark.parametrize("error", [0.0, 0.5])
def test_r2_of_targets_that_are_all_equal(error):
    task = regression((1.0, 0.0), (0.0, 3.0))
    truth = torch.tensor([[1.0, 3.0], [2.0, 3.0]])
    mean, deviation = task.target_statistics
    outputs = (truth + torch.tensor([0.0, error]) - mean) / deviation
    expected = r2_score(truth, task.restore(outputs.double()), multioutput="uniform_average")
    assert task.metrics([(outputs, truth)])["r2"] == pytest.approx(expected)
    assert expected == pytest.approx(0.5 if error else 1.0)


def test_classes_have_no_statistics():
    task = aw.tasks.digits()
    outputs = torch.randn(3, 10)
    assert task.restore(outputs) is outputs
    with pytest.raises(ArchwrightError, match="the targets of digits are classes"):
        _ = task.target_statistics


def test_target_statistics_go_to_a_device_once_and_stay_behind():
    task = regression()
    bare = len(pickle.dumps(task))
    outputs = torch.empty(4, 1, device="meta")
    assert task.restore(outputs).device == outputs.device
    with Copies() as copies:
        task.restore(outputs)
        task.loss(outputs, outputs)
    assert copies.count == 0
    assert len(pickle.dumps(task)) == bare


def inputs_of(column):
    """A task whose first feature is this, of which every row is in train."""
    features = torch.stack([torch.as_tensor(column), torch.arange(float(len(column)))], dim=1).float()
    split = Split(features, torch.arange(len(features)) % 2)
    return Task("mine", lambda: Splits(split, split, split, ("even", "odd")))


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e-30])
def test_a_constant_feature_is_not_blown_up(value):
    task = inputs_of([value] * 10)
    assert task.statistics[1][0, 0] == 1.0
    assert task.prepare(torch.tensor([[value + 1.0, 0.0]]))[0, 0] == pytest.approx(1.0, rel=1e-6)


def test_rounding_is_no_deviation():
    column = np.full(10, 1e6, np.float32)
    column[3] = np.nextafter(column[3], np.float32(2e6))
    assert inputs_of(column).statistics[1][0, 0] == 1.0


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (1e-30, 0.0), (1e30, 0.0), (1.0, 1e5), (1e-3, 100.0)])
def test_features_of_any_scale_are_standardised(scale, offset):
    column = torch.linspace(-1, 1, 25_001) * scale + offset
    prepared = inputs_of(column).prepare(torch.stack([column, column], dim=1))[:, 0]
    assert prepared.mean() == pytest.approx(0.0, abs=0.01)
    assert prepared.std() == pytest.approx(1.0, abs=0.01)


def test_a_value_of_few_rows_is_standardised_too():
    column = torch.zeros(40_000)
    column[[11, 20_003, 30_001]] = 50_000.0
    assert inputs_of(column).statistics[1][0, 0] == pytest.approx(float(column.double().std()))


def test_statistics_are_the_same_in_pieces(monkeypatch):
    task, again = aw.tasks.digits(), aw.tasks.digits()
    whole = task.train.inputs.double()
    monkeypatch.setattr("archwright.tasks.task._PIECE", 1000)
    for found in (task.statistics, again.statistics):
        assert found[0].flatten().item() == pytest.approx(whole.mean().item())
        assert found[1].flatten().item() == pytest.approx(whole.std().item())
        monkeypatch.undo()
    assert task.statistics[0].shape == (1, 1, 1, 1)


def _load():
    return inputs_of([0.0, 1.0] * 5).splits


def test_own_tasks_are_told_apart_and_not_made_again():
    given = Hyperparameters(learning_rate=0.05)
    task = Task("mine", _load, given, epochs=7)
    description = describe(task)
    assert describe(Task("mine", partial(_load), given, epochs=7)) == description
    assert json.loads(json.dumps(description)) == description
    assert description["declaration"]["class"] == "archwright.tasks.task.Task"
    assert description["declaration"]["hyperparameters"]["arguments"]["learning_rate"] == 0.05
    for other in (
        Task("yours", _load, given, epochs=7),
        Task("mine", _load, replace(given, learning_rate=0.1), epochs=7),
        Task("mine", _load, given, epochs=8),
        type("Other", (Task,), {})("mine", _load, given, epochs=7),
    ):
        assert describe(other) != description
    for kind, part in (("tasks", description), ("estimators", describe(aw.estimators.Training(task)))):
        with pytest.raises(ArchwrightError, match="is, or holds, a part of your own: give it again"):
            registry.rebuild(kind, part)
