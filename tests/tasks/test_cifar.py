import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archwright.tasks import BadData, Task, cifar10, cifar100, files

EACH = 20  # examples in a batch
TEN = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
HUNDRED = ("train", "test")

FOLDERS = {
    (cifar10, "python"): "cifar-10-batches-py",
    (cifar10, "binary"): "cifar-10-batches-bin",
    (cifar100, "python"): "cifar-100-python",
    (cifar100, "binary"): "cifar-100-binary",
}


def python2_pickle(images: np.ndarray, labels_key: bytes, labels: list[int]) -> bytes:
    """Protocol 2 as Python 2 wrote the official files: byte strings, numpy.core, and numbers for truth values."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    raw = images.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    )
    kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    kind += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    shape = number(images.shape[0]) + number(images.shape[1]) + b"\x86"
    state = b"(" + number(1) + shape + kind + b"\x89" + b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    items = text(b"data") + array + state + text(labels_key) + b"](" + b"".join(map(number, labels)) + b"e"
    return b"\x80\x02}(" + items + b"u."


def python3_pickle(images: np.ndarray, labels_key: bytes, labels: list[int]) -> bytes:
    return pickle.dumps({"data": images, labels_key.decode(): labels}, protocol=2)


def batches(
    make: Callable[..., Task], kind: str, dump: Callable[..., bytes] = python2_pickle
) -> dict[str, tuple[bytes, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = {}
    for name in TEN if make is cifar10 else HUNDRED:
        count = EACH if make is cifar10 else 500
        images = rng.integers(0, 256, (count, 3072), np.uint8)
        labels = np.arange(count) % (10 if make is cifar10 else 100)
        if kind == "python":
            data = dump(images, b"labels" if make is cifar10 else b"fine_labels", labels.tolist())
            made[name] = (data, images)
        else:
            heads = [labels] if make is cifar10 else [labels // 5, labels]  # coarse, fine
            data = np.column_stack([*heads, images]).astype(np.uint8).tobytes()
            made[f"{name}.bin"] = (data, images)
    return made


def unpacked(folder: Path, contents: dict[str, tuple[bytes, np.ndarray]]) -> Path:
    folder.mkdir(parents=True)
    for name, (data, _) in contents.items():
        (folder / name).write_bytes(data)
    return folder


def archive(path: Path, inner: str, contents: dict[str, tuple[bytes, np.ndarray]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, (data, _) in contents.items():
            member = tarfile.TarInfo(f"{inner}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def check(make: Callable[..., Task], task: Task, contents: dict[str, tuple[bytes, np.ndarray]]) -> None:
    classes = 10 if make is cifar10 else 100
    *train, test = (torch.from_numpy(images).reshape(-1, 3, 32, 32) for _, images in contents.values())
    assert torch.equal(task.test.inputs, test)
    assert task.test.targets.tolist() == [number % classes for number in range(len(test))]
    total = sum(map(len, train))
    assert (len(task.train), len(task.valid)) == (total * 4 // 5, total // 5)
    assert len(task.classes) == len(set(task.classes)) == classes
    assert torch.equal(torch.bincount(task.valid.targets), torch.full((classes,), total // 5 // classes))
    both = torch.cat([task.train.inputs, task.valid.inputs]).flatten(1).int().sum(dim=1)
    assert torch.equal(both.sort().values, torch.cat(train).flatten(1).int().sum(dim=1).sort().values)


@pytest.mark.parametrize(("make", "kind"), FOLDERS)
@pytest.mark.parametrize("form", ["loose", "folder", "archive"])
def test_official_forms(make: Callable[..., Task], kind: str, form: str, tmp_path: Path) -> None:
    contents, inner = batches(make, kind), FOLDERS[make, kind]
    folder = tmp_path / "data"
    if form == "archive":
        folder.mkdir()
        archive(folder / f"cifar-{10 if make is cifar10 else 100}-{kind}.tar.gz", inner, contents)
    else:
        unpacked(folder / inner if form == "folder" else folder, contents)
    task = make(folder)
    check(make, task, contents)
    assert torch.equal(pickle.loads(pickle.dumps(task)).valid.inputs, task.valid.inputs)


def test_pickles_written_by_python_3(tmp_path: Path) -> None:
    contents = batches(cifar10, "python", python3_pickle)
    check(cifar10, cifar10(unpacked(tmp_path / "data", contents)), contents)


def test_arrays_stored_by_column(tmp_path: Path) -> None:
    contents = batches(
        cifar10, "python", lambda images, key, labels: python3_pickle(np.asfortranarray(images), key, labels)
    )
    check(cifar10, cifar10(unpacked(tmp_path / "data", contents)), contents)


class Evil:
    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self.reduced = (call, args)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.reduced


@pytest.mark.parametrize("packed", [False, True])
def test_a_malicious_pickle_does_not_run(packed: bool, tmp_path: Path) -> None:
    witness = tmp_path / "it-ran"
    contents = batches(cifar10, "python")
    images = contents["data_batch_3"][1]
    evil = pickle.dumps({"data": Evil(Path.touch, witness), "labels": Evil(exec, f"open({str(witness)!r}, 'w')")})
    contents["data_batch_3"] = (evil, images)
    folder = tmp_path / "data"
    if packed:
        folder.mkdir()
        archive(folder / "cifar-10-python.tar.gz", "cifar-10-batches-py", contents)
    else:
        unpacked(folder, contents)
    with pytest.raises(BadData, match=r"data_batch_3 isn't a CIFAR batch \(it asks for .*refused\)"):
        _ = cifar10(folder).splits
    assert not witness.exists()
    pickle.loads(pickle.dumps(Evil(Path.touch, witness)))  # such a pickle does run where it is let
    assert witness.exists()


@pytest.mark.parametrize("call", [np.load, np.frombuffer, getattr, print])
def test_numpy_and_builtins_are_refused_too(call: Callable[..., Any], tmp_path: Path) -> None:
    contents = batches(cifar10, "python")
    contents["test_batch"] = (pickle.dumps({"data": Evil(call, "x")}), np.empty(0))
    with pytest.raises(BadData, match=r"test_batch .*refused"):
        _ = cifar10(unpacked(tmp_path / "data", contents)).splits


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "isn't a CIFAR batch"),
        (b"\x80\x02}.", "lacks 'data'"),
        (python2_pickle(np.zeros((2, 3072), np.uint8), b"labels", [0, 1])[:-100], "isn't a CIFAR batch"),
        (python2_pickle(np.zeros((2, 3000), np.uint8), b"labels", [0, 1]), r"images \(2, 3000\)"),
        (python2_pickle(np.zeros((2, 3072), np.uint8), b"labels", [0, 1, 2]), r"labels \(3,\)"),
        (python2_pickle(np.zeros((2, 3072), np.uint8), b"labels", [0, 10]), "label 10, beyond 9"),
        (python2_pickle(np.zeros((2, 3072), np.uint8), b"labels", [0, 256]), "isn't a CIFAR batch"),
        (python3_pickle(np.zeros((2, 3072), np.float32), b"labels", [0, 1]), "pixels of type f4"),
        (pickle.dumps([1, 2]), "isn't a CIFAR batch"),
    ],
)
def test_damaged_pickles_are_named(content: bytes, reason: str, tmp_path: Path) -> None:
    contents = batches(cifar10, "python")
    contents["data_batch_2"] = (content, np.empty(0))
    with pytest.raises(BadData, match=f"data_batch_2 .*{reason}"):
        _ = cifar10(unpacked(tmp_path / "data", contents)).splits


def test_truncated_binary(tmp_path: Path) -> None:
    contents = batches(cifar100, "binary")
    contents["train.bin"] = (contents["train.bin"][0][:-1], np.empty(0))
    with pytest.raises(BadData, match=r"train.bin has .* not a multiple of 3074"):
        _ = cifar100(unpacked(tmp_path / "data", contents)).splits


def test_damaged_and_incomplete_archives(tmp_path: Path) -> None:
    contents = batches(cifar10, "binary")
    path = archive(tmp_path / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", contents)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadData, match=r"cifar-10-binary.tar.gz can't be unpacked"):
        _ = cifar10(tmp_path).splits
    del contents["test_batch.bin"]
    archive(path, "cifar-10-batches-bin", contents)
    with pytest.raises(BadData, match=r"cifar-10-binary.tar.gz lacks batches"):
        _ = cifar10(tmp_path).splits


def test_missing_batches_are_told_at_once(tmp_path: Path) -> None:
    contents = batches(cifar10, "binary")
    del contents["data_batch_4.bin"]
    with pytest.raises(BadData, match=r"lacks files of cifar10; put cifar-10-python.tar.gz"):
        cifar10(unpacked(tmp_path / "data", contents))


def test_no_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(url: str, timeout: float) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setenv("ARCHWRIGHT_DATA", str(tmp_path))
    monkeypatch.setattr(files, "INSTALLED", tmp_path / "usr")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(files, "urlopen", unreachable)
    with pytest.raises(BadData, match=rf"timed out.*put cifar-100-python.tar.gz into {tmp_path}/cifar100"):
        _ = cifar100().splits
