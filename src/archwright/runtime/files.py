"""Files that are there whole or not at all, whenever a process is killed and whoever else writes them."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file of nobody else's beside `path`, to be written inside; at the end it takes the place of `path`.

    Where the writing fails, nothing is left of it.

    Raises:
        OSError: the folder can't be made, or the file not be put in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def write_if_possible(path: Path, content: bytes | memoryview, without: str, folder: Path | None = None) -> bool:
    """Writes a file, whole, that can be done without, such as a checkpoint; says whether it is there.

    Where the disk is full or the folder can't be written, nothing is left of it, and a RuntimeWarning says so, once a
    process for each folder and reason.

    Args:
        without: what follows where it is lacking, for the warning.
        folder: which folder the warning is about; the file's own if None.
    """
    try:
        with whole(path) as part:
            part.write_bytes(content)
    except OSError as error:
        _warn_once(f"can't write to {folder or path.parent} ({error.strerror or error}): {without}")
        return False
    return True


@cache
def _warn_once(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)
