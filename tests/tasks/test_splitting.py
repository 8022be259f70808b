import subprocess
import sys

import numpy as np
import pytest
import torch

from archwright.core.parts import describe, rebuildable
from archwright.tasks import BadData, Split, arrays, digits
from archwright.tasks.splitting import digest, divide, shuffled, split_summary, stratified


def test_importing_tasks_is_light() -> None:
    code = (
        "import sys, archwright.tasks as t; assert 'digits' in dir(t); assert not {'torch', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import archwright.tasks

    with pytest.raises(AttributeError, match="there is no name 'imagenet'"):
        _ = archwright.tasks.imagenet


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_parts_are_disjoint_complete_and_stratified(seed: int) -> None:
    counts = np.array([3, 7, 50, 333, 1000])
    targets = np.random.default_rng(seed).permutation(np.repeat(np.arange(5), counts))
    parts = stratified(targets, (0.15, 0.2), seed)
    assert sorted(np.concatenate(parts)) == list(range(len(targets)))
    for part, share in zip(parts[1:], (0.15, 0.2), strict=True):
        assert abs(len(part) - share * len(targets)) <= 2  # every class has at least one, which may add a little
        found = np.bincount(targets[part], minlength=5)
        assert (found >= 1).all()
        assert (abs(found - share * counts) <= 1).all()


def test_sizes_are_exact_when_classes_are_not_equal() -> None:
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # MNIST's
    rest, part = stratified(np.repeat(np.arange(10), counts), (1 / 6,), 0)
    assert (len(rest), len(part)) == (50_000, 10_000)


def test_the_shuffle_is_the_same_for_ever() -> None:
    assert shuffled(8, seed=0).tolist() == PINNED
    assert shuffled(8, seed=1).tolist() != PINNED


PINNED = [0, 2, 1, 5, 4, 3, 6, 7]


def test_parts_are_shuffled_inside() -> None:
    rest, _ = stratified(np.repeat([0, 1], 50), (0.2,), 0)
    assert {0, 1} <= set((rest[:20] >= 50).tolist())


def test_too_few_examples_name_the_class() -> None:
    split = Split(torch.zeros(7, 2), torch.tensor([0, 0, 0, 0, 0, 1, 1]))
    with pytest.raises(BadData, match=r"here: class 'b' has only 2 .* at least 3"):
        divide(split, ("a", "b"), 0, source="here")
    splits = divide(split, ("a", "b"), 0, source="here", test=split)
    assert sorted(splits.valid.targets.tolist()) == [0, 1]


def test_too_few_numbers() -> None:
    with pytest.raises(BadData, match=r"there are only 2 .* at least 3"):
        divide(Split(torch.zeros(2, 2), torch.zeros(2, 1)), (), 0, source="here")


@pytest.mark.parametrize("name", ["valid", "test"])
def test_a_given_split_without_examples(name: str) -> None:
    split = Split(torch.zeros(9, 2), torch.tensor([0, 1, 0] * 3))
    empty = Split(split.inputs[:0], split.targets[:0])
    with pytest.raises(BadData, match=f"here: {name} has no examples; give some, or no {name}: 15% of train become it"):
        divide(split, ("a", "b"), 0, source="here", **{name: empty})


def test_digest_sees_values_shapes_and_types() -> None:
    one = np.arange(6, dtype=np.int32)
    different: list[np.ndarray] = [one, one + 1, one.reshape(2, 3), one.astype(np.int64)]
    assert len({digest(array) for array in different}) == len(different)
    assert digest(one) == digest(one.copy())


def test_digits_are_all_there() -> None:
    task = digits()
    sizes = [len(task.train), len(task.valid), len(task.test)]
    assert sizes == [1079, 359, 359]
    assert task.train.inputs.dtype == torch.uint8
    assert task.train.inputs.max() == 255
    assert task.train.targets.dtype == torch.int64
    assert task.signature.input_shape == (1, 8, 8)
    assert task.classes == tuple("0123456789")
    rows = torch.cat([task.train.inputs, task.valid.inputs, task.test.inputs]).reshape(1797, -1)
    assert len(torch.unique(rows, dim=0)) == 1797  # no image is in two splits


def test_a_seed_is_a_split() -> None:
    one, same, other = split_summary(digits(3)), split_summary(digits(3)), split_summary(digits(4))
    assert one == same
    assert one["train"]["sha256"] != other["train"]["sha256"]
    assert one["test"]["classes"]["0"] == 36
    assert sum(one["train"]["classes"].values()) == one["train"]["size"] == 1079


def test_the_summary_of_a_regression_has_no_classes() -> None:
    summary = split_summary(arrays(np.eye(20), np.linspace(0, 1, 20)))
    assert summary["valid"]["classes"] == {}
    assert summary["valid"]["size"] == 3


def test_digits_can_be_made_again_from_their_description() -> None:
    assert describe(digits(seed=3)) == {"name": "digits", "arguments": {"seed": 3}}
    assert rebuildable(describe(digits()))
