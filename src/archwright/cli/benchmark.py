"""`archwright benchmark`: tables that searches can be tried on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli.options import EPILOG, FIELDS, Json, Quiet, WithBenchmark
from archwright.cli.outcome import Output

if TYPE_CHECKING:
    from archwright.benchmarks import Benchmark

app = typer.Typer(help="Benchmark tables: import official files, show what a table has.", no_args_is_help=True)


@app.command(name="import", epilog=EPILOG)
def import_file(
    source: Annotated[
        Path,
        typer.Argument(
            help="NATS-tss-*.pickle.pbz2, the folder NATS-tss-*-simple, NAS-Bench-201-*.pth, nasbench_*.tfrecord, or a "
            "table of your own (.csv, .csv.gz, .npz; docs/benchmarks.md)."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The folder for the table; $ARCHWRIGHT_BENCH_DATA or the cache by default.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a benchmark's table from an official file, or keep a table of your own by its name.

    No pickle is executed: a file that holds anything else than plain data is refused.
    """
    from archwright import benchmarks

    output = Output(json, quiet)
    if source.exists():
        output.note(f"reading {source}: minutes, for the full files")
    written = benchmarks.import_table(source, out)
    output.result({"table": str(written)}, [str(written)])


@app.command(name="show", cls=WithBenchmark, epilog=EPILOG)
def show_table(
    context: typer.Context,
    benchmark: Annotated[
        str,
        typer.Argument(
            help="A benchmark's name (archwright list benchmarks), a table (docs/benchmarks.md), or file.py:name."
        ),
    ],
    json: Json = False,
) -> None:
    """Show a benchmark: its size, its metrics, what a search on it is about, and its optimum.

    Fields of the benchmark are options too: --benchmark.dataset cifar100.
    """
    from archwright.cli.config import Origin
    from archwright.cli.parts import made

    found = page(made("benchmark", {"name": benchmark, **context.meta[FIELDS].get("benchmark", {})}, Origin({})))
    Output(json).result(found, list(page_text(found)))


def page(benchmark: Benchmark) -> dict[str, Any]:
    """What a benchmark is, as JSON."""
    from archwright.benchmarks.table import COST

    table = benchmark.table
    return {
        "name": benchmark.name,
        "space": repr(benchmark.space),
        "architectures": len(table),
        "objective": benchmark.objective,
        "score": benchmark.score,
        "optimum": benchmark.optimum(),
        "fidelity_of": benchmark.fidelity_of,
        "cost": any(metric == COST for metric, _ in table.parsed),
        "fidelities": {
            f"{fidelity:g}": {metric: len(seeds) for metric, seeds in table.at(fidelity).items()}
            for fidelity in table.fidelities
        },
    }


def page_text(page: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    time = "simulated, from the column seconds" if page["cost"] else "none: an evaluation costs nothing"
    yield f"benchmark     {page['name']}, {page['architectures']:,} architectures of {page['space']}"
    yield f"search        on {page['objective']}"
    yield f"winner        judged by {page['score']}, at best {page['optimum']:.6g}"
    yield f"time          {time}"
    for fidelity, metrics in page["fidelities"].items():
        yield f"fidelity {fidelity:<4} of {page['fidelity_of']}"
        for metric, seeds in metrics.items():
            yield f"              {metric}{f', {seeds} repetitions' if seeds > 1 else ''}"
