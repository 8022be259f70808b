"""CIFAR-10 and CIFAR-100, from the official archives: the binary and the Python version, whose pickles never run."""

from __future__ import annotations

import pickle
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from archwright.core.parts import part
from archwright.tasks.files import Published, read
from archwright.tasks.splitting import divide
from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_MIRROR = "https://www.cs.toronto.edu/~kriz/"
_FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Cifar:
    """What differs between the two: the test file is the last, and the label the last of a record's label bytes."""

    published: Published
    classes: tuple[str, ...]
    label_bytes: int
    labels_key: str


def _published(name: str, version: str, batches: tuple[str, ...], folders: tuple[str, str], md5: str) -> Published:
    layouts = []
    for kind, folder, suffix in (("python", folders[0], ""), ("binary", folders[1], ".bin")):
        names = tuple(batch + suffix for batch in batches)
        layouts += [(f"{version}-{kind}.tar",), tuple(f"{folder}/{batch}" for batch in names), names]
    return Published(name, tuple(layouts), (_MIRROR,), {f"{version}-python.tar.gz": md5})


_CIFAR10 = _Cifar(
    _published(
        "cifar10",
        "cifar-10",
        (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"),
        ("cifar-10-batches-py", "cifar-10-batches-bin"),
        "c58f30108f718f92721af3b95e74349a",
    ),
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    label_bytes=1,
    labels_key="labels",
)
_CIFAR100 = _Cifar(
    _published(
        "cifar100",
        "cifar-100",
        ("train", "test"),
        ("cifar-100-python", "cifar-100-binary"),
        "eb9058c3a382ffc7106e4002c42a8d85",
    ),
    tuple(_FINE.split()),
    label_bytes=2,
    labels_key="fine_labels",
)


@part
def cifar10(folder: str | Path | None = None, seed: int = 0) -> Task:
    """CIFAR-10 (Krizhevsky, 2009): 60,000 colour 3 x 32 x 32 images, uint8 from 0 to 255, ten classes.

    The test split is the official one of 10,000; valid is 10,000 of the official training images, stratified by
    `seed`, and train the other 40,000.

    Args:
        folder: holds an official archive (cifar-10-python.tar.gz or cifar-10-binary.tar.gz) or what it unpacks to.
            None looks in $ARCHWRIGHT_DATA/cifar10, ~/.cache/archwright/cifar10 and /usr/share/datasets/cifar10;
            failing that, loading downloads the archive, 170 MB, and verifies its MD5 sum.
        seed: of the split.

    Raises:
        BadData: `folder` lacks a file; on loading, a file is damaged, holds code, or can't be downloaded.
    """
    return _task(_CIFAR10, folder, seed)


@part
def cifar100(folder: str | Path | None = None, seed: int = 0) -> Task:
    """CIFAR-100 (Krizhevsky, 2009): 60,000 colour 3 x 32 x 32 images, uint8 from 0 to 255, a hundred fine classes.

    The test split is the official one of 10,000; valid is 10,000 of the official training images, stratified by
    `seed`, and train the other 40,000.

    Args:
        folder: holds an official archive (cifar-100-python.tar.gz or cifar-100-binary.tar.gz) or what it unpacks to.
            None looks in $ARCHWRIGHT_DATA/cifar100, ~/.cache/archwright/cifar100 and /usr/share/datasets/cifar100;
            failing that, loading downloads the archive, 170 MB, and verifies its MD5 sum.
        seed: of the split.

    Raises:
        BadData: `folder` lacks a file; on loading, a file is damaged, holds code, or can't be downloaded.
    """
    return _task(_CIFAR100, folder, seed)


def _task(cifar: _Cifar, folder: str | Path | None, seed: int) -> Task:
    cifar.published.find(folder)  # a wrong folder is told now, not when the search has started
    hyperparameters = Hyperparameters(flip=True, crop=4, cutout=16)
    return Task(cifar.published.name, partial(_load, cifar, folder, seed), hyperparameters)


def _load(cifar: _Cifar, folder: str | Path | None, seed: int) -> Splits:
    files = cifar.published.locate(folder)
    batches = _unpack(cifar, files[0]) if len(files) == 1 else [(file, read(file)) for file in files]
    *train, test = (_batch(cifar, path, data) for path, data in batches)
    whole = Split(torch.cat([batch.inputs for batch in train]), torch.cat([batch.targets for batch in train]))
    return divide(whole, cifar.classes, seed, source=str(files[0].parent), test=test, valid_share=0.2)


def _unpack(cifar: _Cifar, archive: Path) -> list[tuple[Path, bytes]]:
    """The batches of an archive, in memory: nothing in it can choose where it is written."""
    batches = [layout for layout in cifar.published.layouts if len(layout) > 1]
    wanted = {name for layout in batches for name in layout}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                content = tar.extractfile(member) if name in wanted and member.isfile() else None
                if content is not None:
                    found[name] = content.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise BadData(f"{archive} can't be unpacked ({error}); fetch it again") from error
    for layout in batches:
        if all(name in found for name in layout):
            return [(archive / name, found[name]) for name in layout]
    raise BadData(f"{archive} lacks batches; fetch it again")


def _batch(cifar: _Cifar, path: Path, data: bytes) -> Split:
    images, labels = _binary(cifar, path, data) if ".bin" in path.suffixes else _pickled(cifar, path, data)
    if labels.max(initial=0) >= len(cifar.classes):
        raise BadData(f"{path} holds the label {labels.max()}, beyond {len(cifar.classes) - 1}; fetch it again")
    return Split(torch.tensor(images).reshape(-1, *_SHAPE), torch.tensor(labels).long())


def _binary(cifar: _Cifar, path: Path, data: bytes) -> tuple[Bytes, Bytes]:
    record = cifar.label_bytes + _PIXELS
    if not data or len(data) % record:
        raise BadData(f"{path} has {len(data)} bytes, not a multiple of {record}; fetch it again")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    return records[:, cifar.label_bytes :], records[:, cifar.label_bytes - 1]


def _pickled(cifar: _Cifar, path: Path, data: bytes) -> tuple[Bytes, Bytes]:
    try:
        batch = {_text(key): value for key, value in _Inert(BytesIO(data), encoding="bytes").load().items()}
        images = batch["data"].pixels()
        labels = np.array(batch[cifar.labels_key], np.uint8)
    except Exception as error:  # damaged pickles fail in any way
        reason = f"lacks {error}" if isinstance(error, KeyError) else error
        raise BadData(f"{path} isn't a CIFAR batch ({reason}); fetch it again") from error
    if images.ndim != 2 or images.shape[1] != _PIXELS or labels.shape != images.shape[:1]:
        raise BadData(f"{path} holds images {images.shape} and labels {labels.shape}; fetch it again")
    return images, labels


def _text(key: Any) -> Any:
    return key.decode() if isinstance(key, bytes) else key


class _Array:
    """Stands for numpy.ndarray in a pickle: keeps what the file says, in Python's own types."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def pixels(self) -> Bytes:
        _, shape, kind, by_column, data = self.state
        if kind.name not in ("u1", "uint8"):
            raise ValueError(f"pixels of type {kind.name}")
        return np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_column else "C")


class _Kind:
    """Stands for numpy.dtype in a pickle."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name = _text(name)

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like: one byte has none."""


def _array(*_: Any) -> _Array:
    return _Array()


def _latin1(text: str, _: str) -> bytes:
    return text.encode("latin1")


# What the arrays of an official file ask for, and nothing else; not NumPy's own either, because its unpickling
# trusts what it reads and its modules move from release to release.
_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _latin1,
}


class _Inert(pickle.Unpickler):
    """Reads pickles that hold numbers, texts, containers and arrays of bytes, and refuses whatever could run."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused") from None
