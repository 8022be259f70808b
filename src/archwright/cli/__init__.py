"""The command line. What it can, Python can, and the other way round."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import typer

from archwright.cli.app import State, command
from archwright.cli.outcome import Interrupted, NoWinner
from archwright.core.errors import ArchwrightError

__all__ = ["main"]

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # Typer shows only this child of it


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; every error becomes one line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    state = State()
    try:
        status = command().main(given, prog_name="archwright", standalone_mode=False, obj=state)
        sys.stdout.flush()
        return int(status or 0)
    except (BrokenPipeError, SystemExit):  # the reader had enough, as in `archwright show ... | head`; Typer exits then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130, given)
    except Interrupted as error:
        return _fail(str(error), 130, given)
    except Exception as error:
        if state.debug:
            raise
        if isinstance(error, _UsageError):
            return _fail(f"{error.format_message()} (see archwright --help)", 2, given)  # type: ignore[attr-defined]
        if isinstance(error, NoWinner):
            return _fail(str(error), 1, given)
        if isinstance(error, ArchwrightError):
            return _fail(str(error), 2, given)
        return _fail(f"{type(error).__name__}: {error} (our fault: `archwright --debug ...` shows where)", 1, given)


def _fail(message: str, status: int, given: Sequence[str]) -> int:
    for line in message.splitlines():
        print(f"archwright: error: {line}", file=sys.stderr)
    if "--json" in given:  # whoever reads JSON finds the error there too
        print(json.dumps({"error": message}))
    return status
