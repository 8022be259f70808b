"""Files that are there whole or not at all, whenever a process is killed and whoever else writes them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
