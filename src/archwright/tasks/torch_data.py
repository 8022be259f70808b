"""Tasks from torch's map-style data sets."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from archwright.core.parts import part
from archwright.tasks.array_data import Array, as_array, make_splits
from archwright.tasks.task import BadData, Hyperparameters, Splits, Task


@part
def datasets(train: Any, test: Any, valid: Any = None, seed: int = 0) -> Task:
    """A task from torch data sets (map style: `len` and indexing) whose items are (input, target).

    All items are read once, on loading, and kept in memory: random augmentation belongs into the task's
    hyper-parameters, not into the data set. Inputs may be tensors, arrays or Pillow images, of one shape and type;
    shapes and targets are as for `arrays`. Without `valid`, 15 per cent of `train` become it, stratified by `seed`.

    Raises:
        BadData: no length (now); on loading, items that aren't pairs, differ in shape or type, or have targets that
            are neither classes nor numbers, and whatever `arrays` refuses.
    """
    given = {name: data for name, data in (("train", train), ("valid", valid), ("test", test)) if data is not None}
    for name, data in given.items():
        if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise BadData(f"datasets: {name} is a {type(data).__name__} without len() and []; give a map-style Dataset")
    hyperparameters = Hyperparameters(optimizer="adamw", learning_rate=2e-3, weight_decay=1e-2, batch_size=64)
    task = Task("datasets", partial(_load, given, seed), hyperparameters)
    task.described = {
        name: {"repr": f"{type(data).__module__}.{type(data).__qualname__} of {len(data)} items"}
        for name, data in given.items()
    }
    return task


def _load(given: dict[str, Any], seed: int) -> Splits:
    pairs = {name: _read(data, f"datasets: {name}") for name, data in given.items()}
    labels = pairs["train"][1]
    names = tuple(map(str, getattr(given["train"], "classes", ())))  # torchvision's habit
    if labels.dtype.kind not in "iu" or not np.array_equal(np.unique(labels), np.arange(len(names))):
        return make_splits(pairs, None, seed, source="datasets")
    return make_splits(pairs, names, seed, source="datasets")


def _read(data: Any, where: str) -> tuple[Array, Array]:
    inputs: Array | None = None
    targets: list[Array] = []
    for number in range(len(data)):
        item = f"{where} item {number}"
        try:
            one, target = data[number]
        except Exception as error:  # the user's own code
            raise BadData(f"{item} isn't a pair (input, target): {error}") from error
        one, target = as_array(one, item), as_array(target, item)
        if inputs is None:  # filled in place: a list of items and then a stack would need twice the memory
            inputs = np.empty((len(data), *one.shape), one.dtype)
        if (one.shape, one.dtype) != (inputs.shape[1:], inputs.dtype):
            raise BadData(
                f"{item} is {one.dtype} of shape {one.shape}, item 0 {inputs.dtype} of shape {inputs.shape[1:]}; "
                "make all items alike"
            )
        if target.dtype.kind not in "biufU" or target.ndim > 1:
            raise BadData(f"{item} has a target of {target.dtype}, shape {target.shape}; give a class or numbers")
        if targets and (target.shape, target.dtype.kind) != (targets[0].shape, targets[0].dtype.kind):
            raise BadData(f"{item} has a target of another shape or type than item 0; make all items alike")
        inputs[number] = one
        targets.append(target)
    if inputs is None:
        raise BadData(f"{where} is empty; give examples")
    return inputs, np.stack(targets)
