"""MNIST and Fashion-MNIST, in the IDX format of LeCun's page."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from archwright.core.parts import part
from archwright.tasks.files import Published, read
from archwright.tasks.splitting import divide
from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_SIDE = 28

_FASHION_MNIST = Published(
    name="fashion-mnist",
    layouts=(_FILES,),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    md5={
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    package="dataset-fashion-mnist",
)
_MNIST = Published(
    name="mnist",
    layouts=(_FILES,),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    md5={
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
)
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@part
def fashion_mnist(folder: str | Path | None = None, seed: int = 0) -> Task:
    """Fashion-MNIST (Xiao et al., 2017): 70,000 grey 1 x 28 x 28 images, uint8 from 0 to 255, ten classes of clothes.

    The test split is the official one of 10,000; valid is 10,000 of the official training images, stratified by
    `seed`, and train the other 50,000.

    Args:
        folder: holds the four IDX files, packed (.gz) or not. None looks in $ARCHWRIGHT_DATA/fashion-mnist,
            ~/.cache/archwright/fashion-mnist and /usr/share/datasets/fashion-mnist (Debian's package
            dataset-fashion-mnist); failing that, loading downloads them, 30 MB, and verifies their MD5 sums.
        seed: of the split.

    Raises:
        BadData: `folder` lacks a file; on loading, a file is damaged or can't be downloaded.
    """
    return _task(_FASHION_MNIST, _CLOTHES, folder, seed, Hyperparameters(flip=True, crop=2, cutout=8))


@part
def mnist(folder: str | Path | None = None, seed: int = 0) -> Task:
    """MNIST (LeCun et al., 1998): 70,000 grey 1 x 28 x 28 handwritten digits, uint8 from 0 to 255, ten classes.

    The test split is the official one of 10,000; valid is 10,000 of the official training images, stratified by
    `seed`, and train the other 50,000.

    Args:
        folder: holds the four IDX files, packed (.gz) or not. None looks in $ARCHWRIGHT_DATA/mnist,
            ~/.cache/archwright/mnist and /usr/share/datasets/mnist; failing that, loading downloads them, 11 MB, and
            verifies their MD5 sums.
        seed: of the split.

    Raises:
        BadData: `folder` lacks a file; on loading, a file is damaged or can't be downloaded.
    """
    return _task(_MNIST, tuple("0123456789"), folder, seed, Hyperparameters(crop=2))


def _task(
    published: Published,
    classes: tuple[str, ...],
    folder: str | Path | None,
    seed: int,
    hyperparameters: Hyperparameters,
) -> Task:
    published.find(folder)  # a wrong folder is told now, not when the search has started
    return Task(published.name, partial(_load, published, classes, folder, seed), hyperparameters)


def _load(published: Published, classes: tuple[str, ...], folder: str | Path | None, seed: int) -> Splits:
    train_images, train_labels, test_images, test_labels = published.locate(folder)
    train = _split(train_images, train_labels, len(classes))
    test = _split(test_images, test_labels, len(classes))
    return divide(train, classes, seed, source=str(train_labels), test=test, valid_share=1 / 6)


def _split(images: Path, labels: Path, classes: int) -> Split:
    inputs, targets = read_idx(images, 3), read_idx(labels, 1)
    if inputs.shape[1:] != (_SIDE, _SIDE):
        raise BadData(f"{images} holds images of {inputs.shape[1:]} pixels, not {(_SIDE, _SIDE)}; fetch it again")
    if len(inputs) != len(targets):
        raise BadData(f"{images} holds {len(inputs)} images but {labels} {len(targets)} labels; fetch both again")
    if targets.max(initial=0) >= classes:
        raise BadData(f"{labels} holds the label {targets.max()}, beyond {classes - 1}; fetch it again")
    return Split(torch.from_numpy(inputs[:, None]), torch.from_numpy(targets).long())


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, packed or not, as an array of so many axes.

    Raises:
        BadData: magic number, axes or length aren't right.
    """
    data = read(path)
    start = 4 + 4 * axes
    if len(data) < start or data[:4] != bytes((0, 0, 8, axes)):  # 8: unsigned bytes
        raise BadData(f"{path} isn't an IDX file of bytes with {axes} axes; fetch it again")
    shape = [int(size) for size in np.frombuffer(data[4:start], ">u4")]
    if len(data) - start != math.prod(shape):
        raise BadData(f"{path} has {len(data) - start} bytes of data instead of {math.prod(shape)}; fetch it again")
    return np.frombuffer(bytearray(data[start:]), np.uint8).reshape(shape)  # bytearray: torch wants to be able to write
