"""Names that load their module when they are first used, so that `import archwright` needs no torch (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archwright.core.errors import one_of


def lazy(package: str, modules: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A module-level `__getattr__` for `package`: `modules` says which module has which names."""
    listed = vars(sys.modules[package])
    listed["__dir__"] = lambda: sorted(listed["__all__"])  # what a prompt completes
    origin = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f"{package}: {one_of('name', name, origin)}")
        value = getattr(importlib.import_module(origin[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
