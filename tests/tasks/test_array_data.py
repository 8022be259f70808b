import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archwright.core.parts import describe, rebuildable
from archwright.tasks import BadData, arrays

FEATURES = np.random.default_rng(0).normal(size=(40, 5))
LABELS = np.arange(40) % 4


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((40, 5), (5,)),
        ((40, 8, 9), (1, 8, 9)),
        ((40, 2, 8, 9), (2, 8, 9)),
        ((40, 8, 9, 3), (3, 8, 9)),
        ((40, 3, 9, 3), (3, 9, 3)),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert arrays(np.zeros(shape), LABELS).signature.input_shape == expected


def test_channels_last_keeps_pixels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 5, 6, 3), np.uint8)
    task = arrays(images, [0, 1] * 6, test_inputs=images, test_targets=[0, 1] * 6)
    assert task.test.inputs.dtype == torch.uint8
    assert np.array_equal(task.test.inputs.numpy().transpose(0, 2, 3, 1), images)


def test_sequences() -> None:
    assert arrays(np.zeros((40, 2, 30)), LABELS, sequences=True).signature.input_shape == (2, 30)


def test_integers_are_relabelled_and_keep_their_names() -> None:
    task = arrays(FEATURES, LABELS * 10 - 5)
    assert task.classes == ("-5", "5", "15", "25")
    assert set(task.train.targets.tolist()) == {0, 1, 2, 3}
    assert (len(task.train), len(task.valid), len(task.test)) == (28, 6, 6)
    assert task.train.inputs.dtype == torch.float32


@pytest.mark.parametrize("kind", [str, object, "S"])
def test_texts_are_classes(kind: Any) -> None:
    targets = np.array(["b", "a", "c", "a"] * 10).astype(kind)
    task = arrays(FEATURES, targets, test_inputs=FEATURES, test_targets=targets)
    assert task.classes == ("a", "b", "c")
    assert task.test.targets[:4].tolist() == [1, 0, 2, 0]


def test_classes_order_texts_and_name_integers() -> None:
    task = arrays(
        FEATURES, ["lo", "hi"] * 20, classes=["lo", "hi"], test_inputs=FEATURES, test_targets=["lo", "hi"] * 20
    )
    assert task.classes == ("lo", "hi")
    assert task.test.targets[:2].tolist() == [0, 1]
    assert arrays(FEATURES, LABELS, classes=list("abcd")).classes == ("a", "b", "c", "d")


def test_truth_values_and_columns_are_classes() -> None:
    assert arrays(FEATURES, LABELS > 1).classes == ("False", "True")
    assert arrays(FEATURES, LABELS[:, None]).classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(("targets", "outputs"), [(FEATURES[:, 0], 1), (FEATURES[:, :1], 1), (FEATURES[:, :3], 3)])
def test_floating_targets_are_regression(targets: np.ndarray, outputs: int) -> None:
    task = arrays(FEATURES, targets)
    assert not task.is_classification
    assert task.train.targets.dtype == torch.float32
    assert task.train.targets.shape == (28, outputs)
    assert task.signature.outputs == outputs


def test_tensors_and_lists() -> None:
    tensors = arrays(torch.tensor(FEATURES, requires_grad=True), torch.tensor(LABELS))
    lists = arrays(FEATURES.tolist(), LABELS.tolist())
    half = arrays(torch.tensor(FEATURES).bfloat16(), torch.tensor(LABELS))
    assert torch.equal(tensors.train.inputs, lists.train.inputs)
    assert half.train.inputs.dtype == torch.float32


def test_a_later_change_does_not_reach_the_task() -> None:
    inputs = FEATURES.astype(np.float32)
    task = arrays(inputs, LABELS)
    inputs[:] = 0
    assert task.train.inputs.abs().sum() > 0


def test_descriptions_stay_small() -> None:
    task = arrays(FEATURES, LABELS.tolist())
    description = describe(task)
    assert description["arguments"]["inputs"]["repr"].startswith("numpy array (40, 5) float64 sha256:")
    assert description["arguments"]["test_inputs"] is None
    assert len(json.dumps(description)) < 1000
    assert not rebuildable(description)
    assert describe(arrays(FEATURES + 1, LABELS)) != description
    copy = pickle.loads(pickle.dumps(task))
    assert torch.equal(copy.train.inputs, task.train.inputs)
    assert describe(copy) == description
    words = np.array(["a", "b"] * 20, object)
    assert describe(arrays(FEATURES, words)) == describe(arrays(FEATURES, words.copy()))


def test_seeds() -> None:
    assert torch.equal(arrays(FEATURES, LABELS, seed=1).train.inputs, arrays(FEATURES, LABELS, seed=1).train.inputs)
    assert not torch.equal(arrays(FEATURES, LABELS, seed=1).train.inputs, arrays(FEATURES, LABELS).train.inputs)


def with_bad_rows(value: float) -> np.ndarray:
    inputs = FEATURES.copy()
    inputs[17, 2] = inputs[17, 3] = inputs[30, 0] = value
    return inputs


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_bad_numbers_are_counted_and_placed(value: float) -> None:
    with pytest.raises(BadData, match=r"train inputs: 3 numbers are NaN.* first in row 17; drop"):
        arrays(with_bad_rows(value), LABELS)
    with pytest.raises(BadData, match=r"test targets: 3 numbers .* row 17"):
        arrays(FEATURES, FEATURES, test_inputs=FEATURES, test_targets=with_bad_rows(value))


SECONDS = 1_700_000_000 + np.arange(40) * 15  # within ten minutes: float32 has steps of 128 there


@pytest.mark.parametrize(
    ("inputs", "targets", "reason"),
    [
        (
            FEATURES + 1e9 * (np.arange(5) == 2),
            LABELS,
            "train inputs, column 2: a deviation of .* leave the column out$",
        ),
        (np.stack([LABELS, SECONDS], axis=1), LABELS, "train inputs, column 1: a deviation of 1.7e.02 in .* 1.7e.09"),
        (FEATURES, SECONDS.astype(float), "train targets: a deviation of .*, such as the mean$"),
        (FEATURES, np.stack([LABELS, SECONDS], axis=1) * 1.0, "train targets, column 1: a deviation of"),
    ],
)
def test_what_float32_would_merge_is_told(inputs: np.ndarray, targets: np.ndarray, reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        arrays(inputs, targets)


@pytest.mark.parametrize(
    "column",
    [
        SECONDS.astype(np.float32),  # as float32 has it
        1e7 + np.arange(40) * 15.1,
        np.full(40, 0.1),
        0.1 * 3 - np.arange(40) % 2 * 2**-54,  # constant but for rounding
        2.0**24 - (np.arange(40) == 3),  # fine, and exact
    ],
)
def test_what_float32_tells_apart_is_taken(column: np.ndarray) -> None:
    assert len(arrays(column[:, None], column).train) == 28
    narrow = np.full((4, 1), 1e9) + np.arange(4)[:, None]  # a test split may be narrow where train isn't
    wide = np.linspace(0, 1e9, 40)[:, None]
    assert len(arrays(wide, LABELS, test_inputs=narrow, test_targets=LABELS[:4]).test) == 4
    assert len(arrays(np.tile(SECONDS[:, None, None], (1, 8, 8)), LABELS).train) == 28  # images share a scale


@pytest.mark.parametrize(
    ("inputs", "targets", "more", "reason"),
    [
        (
            FEATURES,
            LABELS.astype(np.uint64) + np.uint64(2**63),
            {},
            "the class 9223372036854775811, beyond int64; .* as texts",
        ),
        (FEATURES, LABELS[:39], {}, "40 inputs but 39 targets"),
        (FEATURES, LABELS * 0, {}, "the one class 0"),
        (FEATURES, np.where(LABELS == 0, 0, 1) + 5 * (np.arange(40) > 37), {}, "class '6' has only 2 .* every class$"),
        (FEATURES, np.arange(40) // 2, {}, "of every class, or make the targets floating point for a regression$"),
        (FEATURES, np.arange(40) // 2, {"classes": list(map(str, range(20)))}, "3 examples of every class$"),
        (FEATURES, list(map(str, range(20))) * 2, {}, "3 examples of every class$"),
        (FEATURES, LABELS, {"test_inputs": FEATURES[:0], "test_targets": LABELS[:0]}, "test has no examples, .* leave"),
        (FEATURES, None, {}, "no targets"),
        (FEATURES[:, 0], LABELS, {}, r"shape \(40,\); give \(n, features\)"),
        (FEATURES[:0], LABELS[:0], {}, r"shape \(0, 5\)"),
        (np.zeros((40, 1, 2, 3, 4)), LABELS, {}, r"shape \(40, 1, 2, 3, 4\)"),
        (FEATURES.astype(complex), LABELS, {}, "complex128; give numbers"),
        (FEATURES.astype(str), LABELS, {}, "give numbers"),
        ([[1, 2], [3]], [0, 1], {}, "rows of equal shape"),
        (FEATURES, np.stack([LABELS, LABELS], axis=1), {}, "give .n,. integers or texts"),
        (FEATURES, np.empty((40, 0)), {}, "give .n,. integers or texts"),
        (FEATURES, np.array(["a", 1.5] * 20, object), {}, "row 1 is 1.5; give texts or numbers"),
        (FEATURES, LABELS, {"test_inputs": FEATURES}, "test has no targets"),
        (FEATURES, LABELS, {"test_targets": LABELS}, "test has no inputs"),
        (
            FEATURES,
            LABELS,
            {"test_inputs": FEATURES[:, :4], "test_targets": LABELS},
            r"unlike train's torch.Size\(\[5\]\)",
        ),
        (
            FEATURES,
            LABELS,
            {"test_inputs": FEATURES, "test_targets": LABELS + 1},
            "test has the class 4, which train lacks",
        ),
        (
            FEATURES,
            LABELS,
            {"test_inputs": FEATURES, "test_targets": FEATURES},
            "targets are 5 numbers, unlike train's int",
        ),
        (
            FEATURES,
            LABELS,
            {"test_inputs": FEATURES, "test_targets": LABELS + 1, "classes": list("abcd")},
            "test has the class 4, which train lacks",
        ),
        (FEATURES, FEATURES, {"classes": list("abcde")}, "targets are floating; leave it out"),
        (FEATURES, LABELS, {"classes": list("abc")}, "the class 3, which classes= lacks"),
        (FEATURES, LABELS, {"classes": list("abcde")}, "no example of class 4"),
    ],
)
def test_data_that_cannot_be_learnt_from(inputs: Any, targets: Any, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadData, match=reason) as told:
        arrays(inputs, targets, **more)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (("inputs", "targets"), (28, 6, 6)),
        (("x", "y"), (28, 6, 6)),
        (("X_train", "y_train", "X_test", "y_test"), (34, 6, 40)),
        (("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"), (40, 40, 40)),
    ],
)
def test_npz(names: tuple[str, ...], sizes: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    contents: dict[str, Any] = {name: LABELS if index % 2 else FEATURES for index, name in enumerate(names)}
    np.savez(path, **contents)
    task = arrays(str(path))
    assert task.name == "mine"
    assert (len(task.train), len(task.valid), len(task.test)) == sizes
    assert rebuildable(describe(task))
    assert torch.equal(pickle.loads(pickle.dumps(task)).train.inputs, task.train.inputs)


def test_npz_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with pytest.raises(BadData, match="there is no file"):
        arrays(path)
    for content in (b"", b"something else", b"PK\x03\x04 not a zip"):
        path.write_bytes(content)
        with pytest.raises(BadData, match=r"mine.npz isn't an .npz file"):
            arrays(path)
    np.save(tmp_path / "one.npy", FEATURES)
    with pytest.raises(BadData, match="one array without a name"):
        arrays(tmp_path / "one.npy")
    np.savez(path, a=FEATURES, b=LABELS)
    with pytest.raises(BadData, match="has the arrays a, b; call them inputs and targets"):
        arrays(path)
    np.savez(path, x=FEATURES)
    with pytest.raises(BadData, match="'x' without its targets"):
        arrays(path)
    with pytest.raises(BadData, match="a file holds its own targets"):
        arrays(path, LABELS)


def test_npz_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=FEATURES, y=np.array([{}] * 40, object))
    with pytest.raises(BadData, match="plain arrays"):
        _ = arrays(path).splits


def test_truncated_npz(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=FEATURES, y=LABELS)
    data = bytearray(path.read_bytes())
    data[300:320] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(BadData, match=r"mine.npz isn't an .npz file.*CRC"):
        _ = arrays(path).splits
