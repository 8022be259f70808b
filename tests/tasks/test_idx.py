import gzip
import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from archwright.core.parts import describe
from archwright.tasks import BadData, Task, fashion_mnist, files, idx, mnist
from archwright.tasks.files import Published
from archwright.tasks.splitting import split_summary

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAMES = idx._FILES


def packed(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


def write(folder: Path, suffix: str = "", train: int = 60, test: int = 20) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for start, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(count, dtype=np.uint8) % 10)):
            data = packed(array)
            path = folder / f"{start}-{name}-ubyte{suffix}"
            path.write_bytes(gzip.compress(data) if suffix else data)
    return folder


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ARCHWRIGHT_DATA", raising=False)
    monkeypatch.setattr(files, "INSTALLED", tmp_path / "usr")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("make", [mnist, fashion_mnist])
def test_both_kinds_of_file(make: Callable[..., Task], suffix: str, tmp_path: Path) -> None:
    task = make(write(tmp_path / "idx", suffix))
    assert (len(task.train), len(task.valid), len(task.test)) == (50, 10, 20)
    assert task.train.inputs.shape == (50, 1, 28, 28)
    assert task.train.inputs.dtype == torch.uint8
    assert sorted(task.valid.targets.tolist()) == list(range(10))
    assert task.test.targets.tolist() == [number % 10 for number in range(20)]
    copy = pickle.loads(pickle.dumps(task))
    assert torch.equal(copy.train.inputs, task.train.inputs)


def test_the_description_names_the_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "idx")
    assert describe(mnist(folder, seed=2)) == {"name": "mnist", "arguments": {"folder": str(folder), "seed": 2}}


@pytest.mark.parametrize("place", ["chosen/fashion-mnist", "home/.cache/archwright/fashion-mnist", "usr/fashion-mnist"])
def test_usual_places(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHWRIGHT_DATA", str(tmp_path / "chosen"))
    write(tmp_path / place)
    assert len(fashion_mnist().train) == 50


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"there is no folder .*nowhere.* put train-images"):
        mnist(tmp_path / "nowhere")


def test_a_missing_file_is_told_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "idx")
    (folder / NAMES[1]).unlink()
    with pytest.raises(BadData, match="lacks files of mnist; put train-images"):
        mnist(folder)


def damage_magic(data: bytes) -> bytes:
    return b"\0\0\x0d" + data[3:]


def truncate(data: bytes) -> bytes:
    return data[:-5]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_magic, "isn't an IDX file"),
        (truncate, "bytes of data instead of"),
        (lambda data: b"", "isn't an IDX file"),
    ],
)
def test_damaged_files_are_named(name: str, damage: Callable[[bytes], bytes], reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "idx") / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadData, match=f"{name} .*{reason}"):
        _ = mnist(tmp_path / "idx").splits


@pytest.mark.parametrize("damage", [truncate, lambda data: data[:60] + b"\xff\xff\xff" + data[63:]])
def test_a_damaged_gzip_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "idx", ".gz") / f"{NAMES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadData, match=r"train-images-idx3-ubyte.gz can't be read"):
        _ = mnist(tmp_path / "idx").splits


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        (NAMES[0], np.zeros((60, 8, 8), np.uint8), r"images of \(8, 8\) pixels"),
        (NAMES[1], np.zeros(59, np.uint8), "60 images but .* 59 labels"),
        (NAMES[1], np.full(60, 10, np.uint8), "label 10, beyond 9"),
    ],
)
def test_files_that_do_not_fit(name: str, array: np.ndarray, reason: str, tmp_path: Path) -> None:
    (write(tmp_path / "idx") / name).write_bytes(packed(array))
    with pytest.raises(BadData, match=reason):
        _ = mnist(tmp_path / "idx").splits


def offered(tmp_path: Path, mirrors: tuple[str, ...] | None = None) -> Published:
    mirror = write(tmp_path / "mirror", ".gz")
    md5 = {f"{name}.gz": hashlib.md5((mirror / f"{name}.gz").read_bytes()).hexdigest() for name in NAMES}
    return replace(idx._MNIST, mirrors=mirrors or (f"{mirror.as_uri()}/",), md5=md5)


def test_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = f"{(tmp_path / 'gone').as_uri()}/"
    published = offered(tmp_path)
    monkeypatch.setattr(idx, "_MNIST", replace(published, mirrors=(missing, *published.mirrors)))
    task = mnist()  # looks, but doesn't download yet
    assert not published.cache.exists()
    assert len(task.train) == 50
    assert sorted(path.name for path in published.cache.iterdir()) == sorted(published.md5)


def test_a_wrong_checksum_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = offered(tmp_path)
    monkeypatch.setattr(idx, "_MNIST", replace(published, md5=dict.fromkeys(published.md5, "0" * 32)))
    with pytest.raises(BadData, match="MD5 sum"):
        _ = mnist().splits
    assert list(published.cache.iterdir()) == []


def test_no_internet_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(url: str, timeout: float) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(files, "urlopen", unreachable)
    with pytest.raises(BadData) as told:
        _ = fashion_mnist().splits
    message = str(told.value)
    assert "no route to host" in message
    assert "t10k-labels-idx1-ubyte.gz into " + str(tmp_path / "home/.cache/archwright/fashion-mnist") in message
    assert "dataset-fashion-mnist" in message
    assert "\n" not in message


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"{DEBIAN} isn't there; install Debian's package dataset-fashion-mnist")
def test_the_real_fashion_mnist() -> None:
    task = fashion_mnist(DEBIAN)
    summary = split_summary(task)
    assert {name: split["size"] for name, split in summary.items()} == {
        "train": 50_000,
        "valid": 10_000,
        "test": 10_000,
    }
    assert set(summary["valid"]["classes"].values()) == {1000}
    assert set(summary["train"]["classes"].values()) == {5000}
    assert task.test.targets[:5].tolist() == [9, 2, 1, 1, 6]  # as published
    mean, deviation = task.statistics
    assert mean.item() / 255 == pytest.approx(0.2860, abs=0.002)
    assert deviation.item() / 255 == pytest.approx(0.3530, abs=0.002)
