import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from archwright.core.parts import describe, rebuildable
from archwright.tasks import BadData, datasets

INPUTS = torch.arange(40 * 3 * 4 * 5, dtype=torch.float32).reshape(40, 3, 4, 5)
PAIRS: Dataset[Any] = TensorDataset(INPUTS, torch.arange(40) % 2)


class Items(Dataset[Any]):
    def __init__(self, make: Callable[[int], Any], count: int = 20, classes: tuple[str, ...] = ()) -> None:
        self.items = [make(number) for number in range(count)]
        self.classes = classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> Any:
        return self.items[number]


def test_pairs_of_datasets() -> None:
    task = datasets(PAIRS, Subset(PAIRS, range(8)))
    assert (len(task.train), len(task.valid), len(task.test)) == (34, 6, 8)
    assert torch.equal(task.test.inputs, INPUTS[:8])
    assert task.classes == ("0", "1")
    assert torch.equal(pickle.loads(pickle.dumps(task)).train.inputs, task.train.inputs)


def test_valid_may_be_given() -> None:
    task = datasets(PAIRS, PAIRS, valid=Subset(PAIRS, range(4)))
    assert (len(task.train), len(task.valid)) == (40, 4)


def test_the_description_is_small() -> None:
    description = describe(datasets(PAIRS, PAIRS, seed=3))
    assert description["arguments"]["train"] == {"repr": "torch.utils.data.dataset.TensorDataset of 40 items"}
    assert description["arguments"]["valid"] is None
    assert description["arguments"]["seed"] == 3
    assert not rebuildable(description)


def test_pillow_images_and_named_classes() -> None:
    data = Items(lambda n: (Image.new("RGB", (6, 5), (n, 0, 0)), n % 2), classes=("cat", "dog"))
    task = datasets(data, data)
    assert task.signature.input_shape == (3, 5, 6)
    assert task.test.inputs.dtype == torch.uint8
    assert task.test.inputs[:3, 0, 0, 0].tolist() == [0, 1, 2]
    assert task.classes == ("cat", "dog")


def test_names_that_do_not_fit_are_passed_over() -> None:
    data = Items(lambda n: (np.zeros(3), n % 2), classes=("cat", "dog", "bird"))
    assert datasets(data, data).classes == ("0", "1")


@pytest.mark.parametrize("target", [lambda n: n / 10, lambda n: torch.rand(1), lambda n: np.float64(n)])
def test_numbers_are_regression(target: Callable[[int], Any]) -> None:
    data = Items(lambda n: (np.ones(3), target(n)))
    task = datasets(data, data)
    assert not task.is_classification
    assert task.train.targets.shape == (17, 1)


def test_no_length() -> None:
    class Endless(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter(())

    with pytest.raises(BadData, match="test is a Endless without len"):
        datasets(PAIRS, Endless())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda n: (np.zeros(3 + (n == 7)), 0),
            r"train item 7 is float64 of shape \(4,\), item 0 float64 of shape \(3,\)",
        ),
        (lambda n: (np.zeros(3, np.float32 if n else np.uint8), 0), "item 1 is float32 .* item 0 uint8"),
        (lambda n: np.zeros(3), r"item 0 isn't a pair \(input, target\)"),
        (lambda n: None, "item 0 isn't a pair"),
        (lambda n: (np.zeros(3), {"label": n}), "item 0 has a target of object"),
        (lambda n: (np.zeros(3), np.zeros((2, 2))), "item 0 has a target of float64"),
        (lambda n: (np.zeros(3), 0 if n < 5 else 0.5), "item 5 has a target of another"),
        (lambda n: (np.zeros(3), np.zeros(2 + n)), "item 1 has a target of another"),
        (lambda n: (np.full(3, np.nan), n % 2), "train inputs: 60 numbers are NaN"),
    ],
)
def test_items_that_cannot_be_learnt_from(make: Callable[[int], Any], reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        _ = datasets(Items(make), PAIRS).splits


def test_empty() -> None:
    with pytest.raises(BadData, match="train is empty"):
        _ = datasets(Items(int, 0), PAIRS).splits
