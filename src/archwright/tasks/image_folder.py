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

_SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"))

Pixels = NDArray[np.uint8]
Listing = dict[str, list[Path]]  # class -> its images, sorted


@part
def folder(path: str | Path, size: int | Sequence[int] | None = None, seed: int = 0) -> Task:
    """A task from a folder of images, one folder a class. Data is kept in memory, uint8 from 0 to 255.

    PATH/CLASS/... is split 70, 15 and 15 per cent, stratified by `seed`. PATH/train/CLASS/... is the training data,
    PATH/valid (or val, validation) and PATH/test the other splits; where one is missing, train gives 15 per cent.
    Images are grey (1, height, width) if all are, otherwise colour (3, height, width); transparency is dropped.

    Args:
        path: the folder. Names that begin with a dot, and files that aren't images by their ending, are passed over.
        size: pixels a side, or (height, width), to scale to; None keeps images as they are, which must be of one size.
        seed: of the split.

    Raises:
        BadData: no such folder, fewer than two classes, a class without images or with too few; on loading, an image
            that can't be decoded, or images of different sizes without `size`.
    """
    root = Path(path).expanduser()
    shape = _shape(size)
    for name, listing in _list(root).items():
        empty = [label for label, files in listing.items() if not files]
        if empty:
            raise BadData(f"{root}: class {empty[0]!r} has no images in {name}; add some or delete the folder")
    hyperparameters = Hyperparameters(batch_size=64, flip=True, crop=4)
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
    names = {place.name.lower() for place in inside}
    # Somebody may well have a class "train", but then hardly "valid" and "test" for the others.
    if "train" in names and names <= set(_SPLITS) and any(_folders(place) for place in inside):
        splits = {_SPLITS[place.name.lower()]: _classes(place) for place in inside}
        if len(splits) < len(inside):
            raise BadData(f"{root} holds one split under two names, {', '.join(sorted(names))}; delete or rename one")
    else:
        splits = {"train": _classes(root)}
    classes = list(splits["train"])
    if len(classes) < 2:
        raise BadData(
            f"{root} has {len(classes)} class folder(s); images need to be in one folder a class, two or more"
        )
    for name, listing in splits.items():
        if strange := [label for label in listing if label not in classes]:
            raise BadData(f"{root}: {name} has the class {strange[0]!r}, which train lacks; add it there or delete it")
    return splits


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
        images = list(pool.map(partial(_decode, shape=shape), files))
    for file, image in zip(files, images, strict=True):
        if image.shape[1:] != images[0].shape[1:]:
            raise BadData(
                f"{files[0]} has {_size(images[0])} pixels and {file} {_size(image)}; "
                "pass size= to scale all images to one size"
            )
    channels = max(len(image) for image in images)
    inputs = torch.from_numpy(np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images]))
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


def _decode(file: Path, shape: tuple[int, int] | None) -> Pixels:
    """(channels, height, width), one channel if the image is grey."""
    try:
        with Image.open(file) as opened:
            image = _eight_bits(ImageOps.exif_transpose(opened))
    except Exception as error:  # damaged images fail in any way
        raise BadData(f"{file} can't be decoded ({error}); replace or delete it") from error
    if shape is not None:
        image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in grey (L) or colour (RGB)."""
    if image.mode == "F":
        raise ValueError("floating-point pixels; use arrays() for them")
    if image.mode.startswith("I"):  # 16 bits, which Pillow itself would clip at 255
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("1", "L", "LA", "La"):
        return image.convert("L")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # Pillow warns of palettes with transparency otherwise
    return image.convert("RGB")
