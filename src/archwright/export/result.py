"""What an export gives back, or why it could not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archwright.core.errors import ArchwrightError


class ExportError(ArchwrightError):
    """A model that can't be written in a format, or whose file does not compute what the model computes."""


@dataclass(frozen=True)
class Exported:
    """Files that were written, loaded again and found to compute the same.

    Attributes:
        path: the file to open first.
        files: all files, `path` among them.
        max_difference: the largest difference between an output of the model and of the files, relative to
            max(1, the largest output).
    """

    path: Path
    files: tuple[Path, ...]
    max_difference: float
