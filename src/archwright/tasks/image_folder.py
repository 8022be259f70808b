"""Tasks from a folder of images, one folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from archwright.core.parts import part
from archwright.tasks.splitting import divide
from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task

_NAMES = {
    "train": ("train", "training", "trn"),
    "valid": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),  # as Hugging Face's datasets take them
}
_SPLITS = {name: split for split, names in _NAMES.items() for name in names}
_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"))

Pixels = NDArray[np.uint8] | NDArray[np.float32]  # float32 where an image has more than 8 bits
Listing = dict[str, list[Path]]  # class -> its images, sorted


@part
def folder(path: str | Path, size: int | Sequence[int] | None = None, seed: int = 0, flip: bool = False) -> Task:
    """A task from a folder of images, one folder a class. Data is kept in memory, uint8 from 0 to 255.

    PATH/CLASS/... is split 70, 15 and 15 per cent, stratified by `seed`. PATH/train/CLASS/... (or training, trn) is the
    training data, PATH/valid (val, validation, dev, development) and PATH/test (testing, tst, eval, evaluation) are the
    other splits, in letters of any case; where one is missing, train gives 15 per cent.

    Images are grey (1, height, width) if all are, otherwise colour (3, height, width), and lie on white where they are
    transparent. Grey images of more than 8 bits are all scaled by one factor, 255 / (2**bits - 1), where bits are the
    fewest, at least 8, that hold the largest value in any of them; of colours, 8 bits are read.

    Args:
        path: the folder. Names that begin with a dot, and files that aren't images by their ending, are passed over.
        size: pixels a side, or (height, width), to scale to; None keeps images as they are, which must be of one size.
        seed: of the split.
        flip: mirror training images left-right at random. It helps where a mirrored image keeps its class, as
            photographs of things do, and does harm where it doesn't, as with letters, signs, or left and right hands.

    Raises:
        BadData: no such folder, folders that look like splits under other names, fewer than two classes, a split
            without class folders, a class without images or with too few; on loading, an image that can't be decoded
            or has negative or floating-point pixels, images of different sizes without `size`, or nothing to see:
            every pixel equal.
    """
    root = Path(path).expanduser()
    shape = _shape(size)
    for name, listing in _list(root).items():
        empty = [label for label, files in listing.items() if not files]
        if empty:
            raise BadData(f"{root}: class {empty[0]!r} has no images in {name}; add some or delete the folder")
    hyperparameters = Hyperparameters(batch_size=64, flip=flip, crop=4)
    return Task(root.resolve().name, partial(_load, root, shape, seed), hyperparameters)


def _shape(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise BadData(f"size is {size!r}; give pixels a side, or (height, width)")
    return sides


def _list(root: Path) -> dict[str, Listing]:
    """The images of each class in each split; a folder without splits is all "train"."""
    if not root.is_dir():
        raise BadData(f"there is no folder {root}; give the folder that holds one folder a class")
    inside = _folders(root)
    if _are_splits(root, [place.name for place in inside]):
        splits = {_SPLITS[place.name.lower()]: _classes_of_split(place) for place in inside}
        if len(splits) < len(inside):
            names = ", ".join(place.name for place in inside)
            raise BadData(f"{root} holds one split under two names, {names}; delete or rename one")
    else:
        splits = {"train": _classes(root)}
        _check_classes(root, splits["train"])
    classes = list(splits["train"])
    if len(classes) < 2:
        raise BadData(
            f"{root} has {len(classes)} class folder(s); images need to be in one folder a class, two or more"
        )
    for name, listing in splits.items():
        if strange := [label for label in listing if label not in classes]:
            raise BadData(f"{root}: {name} has the class {strange[0]!r}, which train lacks; add it there or delete it")
    return splits


def _are_splits(root: Path, names: Sequence[str]) -> bool:
    """Whether the folders are splits. Somebody may well have a class "train", but then hardly a class "test" too.

    Raises:
        BadData: some of them are, and some are not.
    """
    named = {name: _SPLITS[name.lower()] for name in names if name.lower() in _SPLITS}
    if "train" not in named.values():
        return False
    others = [name for name in names if name not in named]
    if others and set(named.values()) != {"train"}:
        raise BadData(
            f"{root} holds the splits {', '.join(named)} and beside them {', '.join(others)}, which is no name of a "
            "split; move it elsewhere, or call it train, valid or test"
        )
    return not others


def _classes_of_split(place: Path) -> Listing:
    """The images of each class.

    Raises:
        BadData: there are no class folders.
    """
    found = _classes(place)
    if not found:
        holds = "images" if any(map(_is_image, place.iterdir())) else "nothing"
        split = _SPLITS[place.name.lower()]
        cure = (
            "put each into the folder of its class"
            if split == "train"
            else f"move it elsewhere: 15 per cent of train are taken as {split} then"
        )
        raise BadData(f"{place} holds {holds} without class folders; {cure}")
    return found


def _check_classes(root: Path, classes: Listing) -> None:
    """Folders that should be classes.

    Raises:
        BadData: all of them hold images in folders of the same names, two or more: those look like the classes.
    """
    first, *others = [_holders(files, root / label) for label, files in classes.items()] or [set()]
    if len(first) > 1 and others and all(names == first for names in others):
        raise BadData(
            f"{root}: {_few(list(classes))} each hold the same folders of images, {_few(sorted(first))}, and so look "
            "like splits, not classes; call them train, valid and test, or, if they are classes, put the images "
            "straight into them"
        )


def _holders(files: Sequence[Path], place: Path) -> set[str]:
    """The folders inside `place` that hold all its images; none where some lie straight in it."""
    parts = [file.relative_to(place).parts for file in files]
    return set() if any(len(names) == 1 for names in parts) else {names[0] for names in parts}


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def _folders(place: Path) -> list[Path]:
    return sorted(entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _classes(place: Path) -> Listing:
    return {entry.name: sorted(file for file in entry.rglob("*") if _is_image(file)) for entry in _folders(place)}


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in _ENDINGS and not file.name.startswith(".")


def _load(root: Path, shape: tuple[int, int] | None, seed: int) -> Splits:
    splits = _list(root)
    files = [file for listing in splits.values() for images in listing.values() for file in images]
    with ThreadPoolExecutor() as pool:  # Pillow lets go of the interpreter while it decodes
        decoded = list(pool.map(partial(_decode, shape=shape), files))
    for file, (image, _) in zip(files, decoded, strict=True):
        if image.shape[1:] != decoded[0][0].shape[1:]:
            raise BadData(
                f"{files[0]} has {_size(decoded[0][0])} pixels and {file} {_size(image)}; "
                "pass size= to scale all images to one size"
            )
    inputs = torch.from_numpy(_stacked(decoded))
    if torch.equal(inputs.amin((0, 2, 3)), inputs.amax((0, 2, 3))):
        raise BadData(
            f"{root}: every pixel of every image is {inputs[0, :, 0, 0].tolist()} of 255, so there is nothing to learn "
            "from; look at the images (what is white on a transparent ground vanishes: it is laid on white)"
        )
    classes = tuple(splits["train"])
    parts = {}
    start = 0
    for name, listing in splits.items():
        counts = torch.tensor([len(listing.get(label, ())) for label in classes])
        targets = torch.arange(len(classes)).repeat_interleave(counts)
        parts[name] = Split(inputs[start : start + len(targets)], targets)
        start += len(targets)
    return divide(parts["train"], classes, seed, source=str(root), valid=parts.get("valid"), test=parts.get("test"))


def _size(image: Pixels) -> str:
    return f"{image.shape[1]} x {image.shape[2]}"


def _stacked(decoded: Sequence[tuple[Pixels, int]]) -> NDArray[np.uint8]:
    """(n, channels, height, width) of images and their largest values: grey ones become colour if any is."""
    channels = max(len(image) for image, _ in decoded)
    bits = max(8, *(largest.bit_length() for _, largest in decoded))
    stacked = np.empty((len(decoded), channels, *decoded[0][0].shape[1:]), np.uint8)
    for place, (image, _) in zip(stacked, decoded, strict=True):
        place[:] = image if image.dtype == np.uint8 else np.rint(image * (255 / (2**bits - 1)))
    return stacked


def _decode(file: Path, shape: tuple[int, int] | None) -> tuple[Pixels, int]:
    """(channels, height, width), one channel if the image is grey, and the largest value before scaling to `shape`.

    Images of at most 8 bits are uint8, others float32.
    """
    try:
        with Image.open(file) as opened:
            image, largest = _plain(ImageOps.exif_transpose(opened))
    except Exception as error:  # damaged images fail in any way
        raise BadData(f"{file} can't be decoded ({error}); replace or delete it") from error
    if shape is not None:
        image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), largest


def _plain(image: Image.Image) -> tuple[Image.Image, int]:
    """The image in grey (L), in colour (RGB), or, if it has more than 8 bits, in floating-point grey (F); and the
    largest value that it has or, of 8 bits, could have."""
    if image.mode == "F":
        raise ValueError("floating-point pixels; use arrays() for them")
    if image.mode.startswith("I"):  # 16 or 32 bits, which Pillow itself would clip at 255
        pixels = np.asarray(image)
        if pixels.min() < 0:
            raise ValueError("negative pixels; use arrays() for them")
        return Image.fromarray(pixels.astype(np.float32)), int(pixels.max())
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("LA" if grey else "RGBA")
        ground = Image.new("L" if grey else "RGB", image.size, "white")
        ground.paste(image.convert(ground.mode), mask=image.getchannel("A"))
        return ground, 255
    return image.convert("L" if grey else "RGB"), 255
