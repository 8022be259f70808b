"""Tasks from arrays: in memory, or in an .npz file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archwright.core.parts import part
from archwright.tasks.splitting import digest, divide
from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task

Array = NDArray[Any]

_SPLITS = {"train": ("train", ""), "valid": ("valid", "val"), "test": ("test",)}
_INPUTS = ("inputs", "x", "images", "data")
_TARGETS = ("targets", "y", "labels", "target")
_MANY = 10  # integers: where more of them are targets, they may well be meant as numbers, not as classes
_FINEST = 16 * np.finfo(np.float32).eps  # of the largest number: what varies less, float32 has in a few steps
_NOISE = 1e-12  # of the largest number: what varies less in float64 is constant but for rounding

FOR_ARRAYS = Hyperparameters(optimizer="adamw", learning_rate=2e-3, weight_decay=1e-2, batch_size=64)
"""How networks for data of unknown kind are trained: AdamW needs the least care."""


@part
def arrays(
    inputs: Any,
    targets: Any = None,
    *,
    test_inputs: Any = None,
    test_targets: Any = None,
    classes: Sequence[str] | None = None,
    sequences: bool = False,
    seed: int = 0,
) -> Task:
    """A task from NumPy arrays, tensors or lists, or from an .npz file. Data is kept in memory.

    Targets of integers, truth values or texts are classes, numbered in their sorted order; floating targets (n,) or
    (n, outputs) make a regression. 15 per cent become valid and, unless test data is given, another 15 per cent test;
    classes are stratified by `seed`.

    Args:
        inputs: (n, features), grey images (n, height, width), images (n, channels, height, width), or with channels
            last where the last axis is 1, 3 or 4 and the second isn't. Bytes (uint8) of images stay so, other numbers
            become float32. Or a path to an .npz file, whose arrays are called inputs and targets (or x and y, images
            and labels, data and target); with train_, valid_ or val_, test_ before or _train, ... after, they are
            splits.
        targets: one for each input; None with a file.
        test_inputs: as `inputs`; the official test data, if there is some.
        test_targets: as `targets`.
        classes: names of classes 0, 1, ...; with texts as targets, their order. None takes what is there.
        sequences: inputs of three axes are (n, channels, length), not grey images.
        seed: of the split.

    Raises:
        BadData: no numbers, NaN or infinity, a column of vectors or targets that varies too little for its size to
            keep what it tells in float32, lengths or shapes that don't match, only one class, too few examples of
            one. For a file: now if it can't be read or lacks arrays, the rest on loading.
    """
    names = None if classes is None else tuple(map(str, classes))
    others = {"targets": targets, "test_inputs": test_inputs, "test_targets": test_targets}
    if isinstance(inputs, str | Path):
        if extra := [name for name, value in others.items() if value is not None]:
            raise BadData(f"{inputs}: a file holds its own {', '.join(extra)}; leave them out")
        path = Path(inputs).expanduser()
        _names(path)
        return Task(path.stem, partial(_load_file, path, names, sequences, seed), FOR_ARRAYS)
    pairs = {"train": (inputs, targets)}
    if test_inputs is not None or test_targets is not None:
        pairs["test"] = (test_inputs, test_targets)
    splits = make_splits(pairs, names, seed, source="arrays", sequences=sequences)
    task = Task("arrays", partial(_kept, splits), FOR_ARRAYS)
    task.described = {name: _describe(value) for name, value in ({"inputs": inputs} | others).items()}
    return task


def _kept(splits: Splits) -> Splits:
    return splits


def _describe(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    array = as_array(value, "arrays")
    kind = "tensor" if isinstance(value, Tensor) else "numpy array"
    plain = array.astype(str) if array.dtype.kind == "O" else array  # objects have addresses for bytes
    return {"repr": f"{kind} {array.shape} {array.dtype} sha256:{digest(plain)}"}


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Array]]:
    try:
        with path.open("rb") as stream:  # NumPy leaves a damaged file open
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array without a name")
            with file:
                yield file
    except FileNotFoundError as error:
        raise BadData(f"there is no file {path}; give the path of an .npz file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadData(f"{path} isn't an .npz file of plain arrays ({error}); write it with numpy.savez") from error


def _names(path: Path) -> dict[str, tuple[str, str]]:
    """Which arrays of a file are the inputs and the targets of a split."""
    with _opened(path) as file:
        found = {name.lower(): name for name in file}
    pairs = {}
    for split, words in _SPLITS.items():
        first, second = (
            [found[name] for name in _spellings(kind, words) if name in found] for kind in (_INPUTS, _TARGETS)
        )
        if bool(first) != bool(second):
            raise BadData(f"{path} has {(first or second)[0]!r} without its {'targets' if first else 'inputs'}")
        if first:
            pairs[split] = (first[0], second[0])
    if "train" not in pairs:
        raise BadData(f"{path} has the arrays {', '.join(found.values()) or 'none'}; call them inputs and targets")
    return pairs


def _spellings(kind: Sequence[str], words: Sequence[str]) -> list[str]:
    both = [(noun, word) for word in words for noun in kind]
    return [name for noun, word in both for name in ((f"{noun}_{word}", f"{word}_{noun}") if word else (noun,))]


def _load_file(path: Path, classes: tuple[str, ...] | None, sequences: bool, seed: int) -> Splits:
    with _opened(path) as file:
        pairs = {split: (file[inputs], file[targets]) for split, (inputs, targets) in _names(path).items()}
    return make_splits(pairs, classes, seed, source=str(path), sequences=sequences)


def make_splits(
    pairs: Mapping[str, tuple[Any, Any]],
    classes: tuple[str, ...] | None,
    seed: int,
    *,
    source: str,
    sequences: bool = False,
    advice: str = "make the targets floating point for a regression",
) -> Splits:
    """Checks raw inputs and targets of "train" and perhaps "valid" and "test", and takes missing splits out of train.

    The arguments and errors are those of `arrays`; messages begin with `source`.

    Args:
        advice: how to say that targets of whole numbers are no classes; told where a class has too few examples.
    """
    where = {name: f"{source}: {name}" for name in pairs}
    inputs = {name: _inputs(pair[0], where[name], sequences) for name, pair in pairs.items()}
    targets = {name: _targets(pair[1], where[name]) for name, pair in pairs.items()}
    for name in pairs:
        if len(inputs[name]) != len(targets[name]):
            raise BadData(
                f"{where[name]} has {len(inputs[name])} inputs but {len(targets[name])} targets; drop the odd"
            )
        _same(f"{where[name]} inputs are", inputs[name].shape[1:], inputs["train"].shape[1:])
        _same(f"{where[name]} inputs are", inputs[name].dtype, inputs["train"].dtype)
        _same(f"{where[name]} targets are", _nature(targets[name]), _nature(targets["train"]))
    if targets["train"].dtype.kind == "f":
        if classes is not None:
            raise BadData(f"{source}: classes= is for integers and texts, but targets are floating; leave it out")
        _check_columns(pairs["train"][1], f"{where['train']} targets")
        names: tuple[str, ...] = ()
        numbers = targets
    else:
        names, numbers = _numbered(targets, classes, where)
    if inputs["train"].dim() == 2:
        _check_columns(pairs["train"][0], f"{where['train']} inputs", ", or leave the column out")
    splits = {name: Split(inputs[name], torch.from_numpy(numbers[name])) for name in pairs}
    meant = classes is None and targets["train"].dtype.kind in "iu" and len(names) > _MANY
    return divide(
        splits["train"],
        names,
        seed,
        source=source,
        valid=splits.get("valid"),
        test=splits.get("test"),
        advice=f", or {advice}" if meant else "",
    )


def _same(what: str, one: object, other: object) -> None:
    if one != other:
        raise BadData(f"{what} {one}, unlike train's {other}; make them alike")


def _nature(targets: Array) -> str:
    return {"f": f"{targets.shape[-1]} numbers", "U": "texts"}.get(targets.dtype.kind, "integers")


def as_array(value: Any, where: str) -> Array:
    """A NumPy array of a tensor, an array, or anything that NumPy takes for one.

    Raises:
        BadData: lists of different lengths.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value  # NumPy has no such type
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise BadData(f"{where} isn't an array ({error}); give rows of equal shape") from error


def check_digits(column: Array, name: str, otherwise: str = "") -> None:
    """Refuses numbers whose differences are lost in float32, in which networks compute.

    Args:
        column: (n,) finite numbers; whatever their type, what float32 holds exactly is fine.
        name: begins the message.
        otherwise: what else helps; ends it.

    Raises:
        BadData: they vary, but by so little for their size that float32 merges most of them.
    """
    if np.can_cast(column.dtype, np.float32) or not len(column):
        return
    exact = column.astype(np.float64)
    deviation, largest = float(exact.std()), float(np.abs(exact).max())
    if _NOISE * largest < deviation < _FINEST * largest and (exact.astype(np.float32) != exact).any():
        raise BadData(
            f"{name}: a deviation of {deviation:.2g} in numbers up to {largest:.6g} is too fine for float32, in "
            f"which networks compute; subtract a constant first, such as the mean{otherwise}"
        )


def _check_columns(value: Any, where: str, otherwise: str = "") -> None:
    array = as_array(value, where)
    columns = array.reshape(len(array), -1).T
    for place, column in enumerate(columns):
        check_digits(column, f"{where}, column {place}" if len(columns) > 1 else where, otherwise)


def _inputs(value: Any, where: str, sequences: bool) -> Tensor:
    if value is None:
        raise BadData(f"{where} has no inputs; give them with the targets")
    array = as_array(value, where)
    if array.dtype.kind not in "biuf":
        raise BadData(f"{where} inputs are {array.dtype}; give numbers")
    if array.ndim and not len(array):
        raise BadData(f"{where} has no examples, inputs of shape {array.shape}; give some or leave the split out")
    if array.ndim not in (2, 3, 4) or not array.size:
        raise BadData(
            f"{where} inputs have the shape {array.shape}; give (n, features), (n, height, width) "
            "or (n, channels, height, width)"
        )
    if array.ndim == 3 and not sequences:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3, 4) and array.shape[1] not in (1, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    keep = array.dtype == np.uint8 and array.ndim > 2
    return torch.from_numpy(array.copy("C") if keep else _floats(array, f"{where} inputs"))  # the caller may change his


def _floats(array: Array, where: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes infinity, which is told
        floats = array.astype(np.float32, order="C")
    bad = ~np.isfinite(floats)
    if bad.any():
        row = int(bad.reshape(len(bad), -1).any(axis=1).argmax())
        raise BadData(
            f"{where}: {bad.sum()} numbers are NaN, infinite or beyond float32, first in row {row}; drop or fill them"
        )
    return floats


def _targets(value: Any, where: str) -> Array:
    """(n,) int64 or texts, or (n, outputs) float32."""
    if value is None:
        raise BadData(f"{where} has no targets; give one for each input")
    array = as_array(value, where)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "f" and array.ndim in (1, 2) and array.size:
        return _floats(array if array.ndim == 2 else array[:, None], f"{where} targets")
    if array.dtype.kind not in "biuUSO" or array.ndim != 1:
        raise BadData(
            f"{where} targets are {array.dtype} of shape {array.shape}; give (n,) integers or texts for classes, "
            "(n,) or (n, outputs) floating numbers for regression"
        )
    if array.dtype.kind == "O":
        odd = next((row for row, target in enumerate(array) if not isinstance(target, str)), None)
        if odd is not None:
            raise BadData(f"{where} target in row {odd} is {array[odd]!r}; give texts or numbers, not a mixture")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise BadData(f"{where} targets have the class {array.max()}, beyond int64; give the classes' names as texts")
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    return (
        array.astype(str) if array.dtype.kind in "UO" else array if array.dtype.kind == "b" else array.astype(np.int64)
    )


def _numbered(
    targets: Mapping[str, Array], classes: tuple[str, ...] | None, where: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Class names, and targets as int64 from 0."""
    known = np.unique(targets["train"])
    if classes is not None:
        named = np.array(classes) if known.dtype.kind == "U" else np.arange(len(classes))
        if missing := sorted(set(named.tolist()) - set(known.tolist())):
            raise BadData(
                f"{where['train']} has no example of class {missing[0]!r}; give some or leave it out of classes="
            )
        known = named
    if len(known) < 2:
        raise BadData(f"{where['train']} has the one class {known.tolist()[0]!r}; give at least two")
    order = np.argsort(known)
    numbers = {}
    for name, labels in targets.items():
        places = np.searchsorted(known, labels, sorter=order).clip(max=len(known) - 1)
        numbers[name] = order[places].astype(np.int64)
        strange = known[numbers[name]] != labels
        if strange.any():
            lacks = "classes= lacks" if name == "train" else "train lacks"
            raise BadData(
                f"{where[name]} has the class {labels[strange][0].item()!r}, which {lacks}; add it or drop those"
            )
    return classes or tuple(map(str, known.tolist())), numbers
