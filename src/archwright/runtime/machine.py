"""What a manifest says about the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any


def machine(*packages: str) -> dict[str, Any]:
    """Python, system, processor, cores, and the versions of `packages` (None: not installed)."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        **{name: _version(name) for name in packages},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
