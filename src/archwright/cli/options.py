"""Options: those that several verbs share, and the dotted ones that set the fields of parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from archwright.cli.defaults import PARTS
from archwright.core.errors import ArchwrightError, one_of

EPILOG = (
    "Exit status: 0 done; 1 the search ended without a winner, or a fault of ours; 2 a mistake in what was asked for; "
    "130 interrupted. Errors are one line each; --debug shows where they come from."
)
"""What every verb's help ends with."""

FIELDS = "archwright.fields"
"""Where a command's context keeps the dotted options: {"strategy": {"population": "50"}}."""


class WithFields(TyperCommand):
    """A verb that takes `--part.field value` for whatever fields the parts have."""

    parts: Sequence[str] = PARTS

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Takes the dotted options out; the others go the common way."""
        rest, ctx.meta[FIELDS] = take_fields(args, self.parts)
        return super().parse_args(ctx, rest)


class WithBenchmark(WithFields):
    """A verb that takes `--benchmark.field value`."""

    parts = ("benchmark",)


class WithReference(WithFields):
    """A verb that takes the fields of what is diagnosed."""

    parts = ("task", "space", "reference", "benchmark")


def take_fields(arguments: Sequence[str], parts: Sequence[str] = PARTS) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Splits a command line into what has no dots and the fields: `--part.field value`, `--part.field=value`, or
    `--part.flag` before another option or the end.

    Raises:
        ArchwrightError: a field of something that is no part.
    """
    rest: list[str] = []
    fields: dict[str, dict[str, Any]] = {}
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, given, value = argument.partition("=")
        if argument == "--":
            return [*rest, argument, *waiting], fields
        if not name.startswith("--") or "." not in name:
            rest.append(argument)
            continue
        part, *keys = name[2:].split(".")
        if part not in parts:
            raise ArchwrightError(f"{name}: {one_of('part', part, parts)}")
        inside = fields.setdefault(part, {})
        for key in keys[:-1]:
            inside = _opened(inside, key)
        has_value = given or (waiting and not waiting[0].startswith("--"))
        found: Any = (value if given else waiting.pop(0)) if has_value else True
        known = inside.get(keys[-1])
        inside[keys[-1]] = known | {"name": found} if isinstance(known, dict) else found
    return rest, fields


def _opened(inside: dict[str, Any], key: str) -> dict[str, Any]:
    """The fields of what stands under `key`; where that was named before, `--strategy.of gdas`, the name is one."""
    known = inside.setdefault(key, {})
    if not isinstance(known, dict):
        known = inside[key] = {"name": known}
    return known


Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
Evaluations = Annotated[int | None, typer.Option(help="Stop after so many evaluations.", rich_help_panel="Budget")]
Epochs = Annotated[
    float | None, typer.Option(help="Stop after so many epochs, all trials together.", rich_help_panel="Budget")
]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes.", rich_help_panel="Budget")]
Workers = Annotated[
    int | None, typer.Option(help="Trials at a time, each in a process of its own.", rich_help_panel="Trials")
]
TrialMinutes = Annotated[float | None, typer.Option(help="Time limit of a trial.", rich_help_panel="Trials")]
TrialMemory = Annotated[
    float | None, typer.Option(help="Memory limit of a trial in GiB (Linux).", rich_help_panel="Trials")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel="Trials")]
TrainEpochs = Annotated[
    int | None,
    typer.Option(help="Epochs of the winner's training; the task's own by default.", rich_help_panel="Winner"),
]
SearchOnly = Annotated[
    bool, typer.Option("--search-only", help="Stop after the search; no final training.", rich_help_panel="Winner")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
OwnSpace = Annotated[str | None, typer.Option("--space", help="The run's space if it is your own: file.py:name.")]
OwnTask = Annotated[str | None, typer.Option("--task", help="The run's task if it is your own: file.py:name.")]
