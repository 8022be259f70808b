import json

import numpy as np
import pytest
import torch

from archwright.core.parts import describe, kebab, on_device
from archwright.strategies import RegularizedEvolution


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RegularizedEvolution", "regularized-evolution"),
        ("QLearning", "q-learning"),
        ("PPO", "ppo"),
        ("GeneticCNN", "genetic-cnn"),
        ("NSGA2", "nsga2"),
        ("fashion_mnist", "fashion-mnist"),
        ("nasbench201", "nasbench201"),
        ("q-learning", "q-learning"),
    ],
)
def test_kebab(name, expected):
    assert kebab(name) == expected


def test_a_device_is_changed_in_estimators_and_nowhere_else():
    def training(device):
        costs = [{"name": "latency", "arguments": {"device": "cuda"}}]
        return {"name": "training", "arguments": {"task": None, "costs": costs, "device": device}}

    def staged(device):
        mean = {"name": "mean", "arguments": {"of": training(device), "seeds": 3}}
        return {"name": "staged", "arguments": {"cheap": training(device), "dear": mean, "by": "max:synflow"}}

    assert on_device(staged("cuda"), "cpu") == staged("cpu")
    for other in (None, {"repr": "mine.Estimator"}, {"name": "predicted", "arguments": {"least": 10}}):
        assert on_device(other, "cpu") == other


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (np.int64(10), 10),
        (np.uint8(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.25), 0.25),
        (np.bool_(True), True),
        (np.array(4), 4),
        (np.array(0.5, np.float16), 0.5),
        (torch.tensor(7), 7),
        (torch.tensor(0.5), 0.5),
        (torch.tensor(False), False),
    ],
)
def test_numbers_of_numpy_and_torch_are_described_as_pythons_own(number, expected):
    told = describe({"a": [number]})["a"][0]
    assert told == expected
    assert type(told) is type(expected) or type(number) is np.float64  # which is one of Python's
    assert json.loads(json.dumps(told)) == expected


def test_strategies_whose_numbers_are_numpys_are_told_apart():
    four, ten = (describe(RegularizedEvolution(population=np.int64(size), sample=3)) for size in (4, 10))
    assert four == describe(RegularizedEvolution(population=4, sample=3)) != ten
