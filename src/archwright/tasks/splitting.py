"""Three fixed splits from a seed: the same on every platform and with every release of NumPy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archwright.tasks.task import BadData, Split, Splits, Task

Indices = NDArray[np.int64]

_HASHED = 200_000_000  # bytes of an array that are hashed at most: under a second


def shuffled(count: int, seed: int) -> Indices:
    """The numbers 0 to count - 1 in an order that `seed` alone decides."""
    # The words of a bit generator are fixed for ever; what Generator.permutation makes of them isn't.
    return np.argsort(np.random.Philox(key=seed).random_raw(count), kind="stable")


def stratified(targets: Indices, shares: Sequence[float], seed: int) -> list[Indices]:
    """Splits examples so that each part has every class in proportion.

    Args:
        targets: (n,) class numbers from 0.
        shares: of the second part and those after it; the first part gets the rest.
        seed: decides who goes where, and the order inside each part.

    Returns:
        Disjoint indices, len(shares) + 1 parts. A part's size is its share of n, rounded, and its count of a class
        is within one of the class's share; every class with an example a part has at least one in each.
    """
    order = shuffled(len(targets), seed)
    labels = targets[order]
    counts = np.bincount(labels)
    rank = np.empty_like(order)  # the number of an example among those of its class
    rank[np.argsort(labels, kind="stable")] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    part = np.zeros_like(order)
    end = np.zeros_like(counts)
    for number, share in enumerate(shares, start=1):
        # Rounding running totals, not each class by itself, makes the counts add up to the part's size.
        quota = np.diff(np.rint(share * np.cumsum(counts)).astype(np.int64), prepend=0)
        start, end = end, end + np.maximum(quota, 1)
        part[(start[labels] <= rank) & (rank < end[labels])] = number
    return [order[part == number] for number in range(len(shares) + 1)]


def divide(
    train: Split,
    classes: tuple[str, ...],
    seed: int,
    *,
    source: str,
    valid: Split | None = None,
    test: Split | None = None,
    valid_share: float = 0.15,
    test_share: float = 0.15,
    advice: str = "",
) -> Splits:
    """Takes the splits that aren't given out of `train`, stratified if there are `classes`.

    Args:
        advice: what else helps where there are too few examples; ends that message.

    Raises:
        BadData: a class, or the whole, is too small to have an example in each split, or a given split has none at
            all; the message begins with `source`.
    """
    for name, given, share in (("valid", valid, valid_share), ("test", test, test_share)):
        if given is not None and not len(given):
            raise BadData(f"{source}: {name} has no examples; give some, or no {name}: {share:.0%} of train become it")
    shares = [share for given, share in ((valid, valid_share), (test, test_share)) if given is None]
    labels = train.targets.numpy() if classes else np.zeros(len(train), np.int64)
    counts = np.bincount(labels, minlength=len(classes) or 1)
    need = len(shares) + 1
    if counts.min() < need:
        rare = int(counts.argmin())
        whose = f"class {classes[rare]!r} has" if classes else "there are"
        every = "of every class" if classes else "in all"
        raise BadData(
            f"{source}: {whose} only {counts[rare]} to learn from; give at least {need} examples {every}{advice}"
        )
    parts = [Split(train.inputs[part], train.targets[part]) for part in stratified(labels, shares, seed)]
    rest = parts.pop(0)
    valid = parts.pop(0) if valid is None else valid
    test = parts.pop(0) if test is None else test
    return Splits(rest, valid, test, classes)


def digest(*arrays: NDArray[Any]) -> str:
    """SHA-256 in hex of shapes, types and bytes; of an array above 200 MB, of evenly spaced examples."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype.str}".encode())
        total.update(array[:: 1 + array.nbytes // _HASHED].tobytes())
    return total.hexdigest()


def task_summary(task: Task) -> dict[str, Any]:
    """What a manifest records about a task, as JSON: name, shape of an example, and its splits."""
    return {"name": task.name, "input_shape": list(task.signature.input_shape), **split_summary(task)}


def split_summary(task: Task) -> dict[str, Any]:
    """What a manifest records about a task's splits, as JSON.

    Returns:
        For "train", "valid" and "test": the "size", the "classes" by name with their counts (none for regression, nor
        where each position of an example has a class), and the "sha256" of inputs and targets in their order.
    """
    return {name: _summary(getattr(task, name), task.classes) for name in ("train", "valid", "test")}


def _summary(split: Split, classes: tuple[str, ...]) -> dict[str, Any]:
    inputs, targets = split.inputs.numpy(), split.targets.numpy()
    counted = classes if targets.ndim == 1 else ()
    counts = np.bincount(targets, minlength=len(classes)).tolist() if counted else []
    return {
        "size": len(split),
        "classes": dict(zip(counted, counts, strict=True)),
        "sha256": digest(inputs, targets),
    }
