"""Tasks: data in three fixed splits with loss, metrics and a training recipe. Names load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright.tasks.array_data import arrays
    from archwright.tasks.cifar import cifar10, cifar100
    from archwright.tasks.embedded import digits
    from archwright.tasks.idx import fashion_mnist, mnist
    from archwright.tasks.image_folder import folder
    from archwright.tasks.task import BadData, Hyperparameters, Split, Splits, Task
    from archwright.tasks.torch_data import datasets

__all__ = [
    "BadData",
    "Hyperparameters",
    "Split",
    "Splits",
    "Task",
    "arrays",
    "cifar10",
    "cifar100",
    "datasets",
    "digits",
    "fashion_mnist",
    "folder",
    "mnist",
]

# No module is called like a function: importing the one would hide the other.
_HOMES = {
    "arrays": "array_data",
    "cifar10": "cifar",
    "cifar100": "cifar",
    "datasets": "torch_data",
    "digits": "embedded",
    "fashion_mnist": "idx",
    "folder": "image_folder",
    "mnist": "idx",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'task')}"), name)


def __dir__() -> list[str]:
    return __all__
