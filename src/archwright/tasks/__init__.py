"""Tasks: data in three fixed splits with loss, metrics and a training recipe. Names load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.tasks.array_data import arrays
    from archwright.tasks.cifar import cifar10, cifar100
    from archwright.tasks.csv_data import csv_file
    from archwright.tasks.embedded import digits
    from archwright.tasks.idx import fashion_mnist, mnist
    from archwright.tasks.image_folder import folder
    from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task
    from archwright.tasks.text import LanguageModel, shakespeare, text_file
    from archwright.tasks.torch_data import datasets

__all__ = [
    "BadData",
    "Hyperparameters",
    "LanguageModel",
    "Split",
    "Splits",
    "Task",
    "arrays",
    "cifar10",
    "cifar100",
    "csv_file",
    "datasets",
    "digits",
    "fashion_mnist",
    "folder",
    "mnist",
    "shakespeare",
    "text_file",
]

__getattr__ = lazy(  # no module is called like a function: importing the one would hide the other
    __name__,
    {
        "archwright.tasks.array_data": ["arrays"],
        "archwright.tasks.cifar": ["cifar10", "cifar100"],
        "archwright.tasks.csv_data": ["csv_file"],
        "archwright.tasks.embedded": ["digits"],
        "archwright.tasks.idx": ["fashion_mnist", "mnist"],
        "archwright.tasks.image_folder": ["folder"],
        "archwright.tasks.task": ["BadData", "Hyperparameters", "Split", "Splits", "Task"],
        "archwright.tasks.text": ["LanguageModel", "shakespeare", "text_file"],
        "archwright.tasks.torch_data": ["datasets"],
    },
)
