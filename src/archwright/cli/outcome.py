"""What a command tells: how it ended, on stdout for the reader, on stderr for whoever waits."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from archwright.core.errors import ArchwrightError

WIDTH = 120
"""Columns of a page that goes to a file or a pipe."""


class NoWinner(ArchwrightError):
    """A search that ended without a winner: exit status 1."""


class Interrupted(ArchwrightError):
    """Ctrl-C: exit status 130."""

    def __init__(self, folder: Path, again: str | None = None) -> None:
        again = again or f"archwright resume {folder}"
        super().__init__(f"interrupted; what has finished is kept, go on with: {again}")


class Mistakes(ArchwrightError):
    """Several mistakes at once, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Output:
    """Where results and progress go."""

    json: bool = False
    quiet: bool = False

    @cached_property
    def progress(self) -> Console:
        """Stderr, so that stdout holds results only."""
        return Console(stderr=True, quiet=self.quiet, highlight=False)

    def note(self, text: str) -> None:
        """A line about what is going on."""
        self.progress.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that has to be read, however quiet the command is."""
        print(f"archwright: {text}", file=sys.stderr)

    def result(self, data: Any, pages: Sequence[RenderableType]) -> None:
        """The result: JSON if that was asked for, else for people."""
        if self.json:
            print(json.dumps(data, indent=2, ensure_ascii=False))
            return
        console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
        for page in pages:
            console.print(page, soft_wrap=isinstance(page, str))
