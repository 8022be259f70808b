"""The verbs. Each reads its options and hands them to what does the work, which is imported only then."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from archwright.cli.benchmark import app as benchmark
from archwright.cli.options import (
    EPILOG,
    FIELDS,
    Device,
    Epochs,
    Evaluations,
    Json,
    Minutes,
    OwnSpace,
    OwnTask,
    Quiet,
    Run,
    SearchOnly,
    TrainEpochs,
    TrialMemory,
    TrialMinutes,
    WithBenchmark,
    WithFields,
    WithReference,
    Workers,
)
from archwright.cli.outcome import Output

app = typer.Typer(
    help="Neural architecture search on PyTorch: any space, any strategy, any estimator.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(benchmark, name="benchmark", epilog=EPILOG)


@dataclass
class State:
    """What holds for every verb."""

    debug: bool = False


def command() -> Any:
    """The whole command line, to be called."""
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"archwright {version('archwright')}")
        raise typer.Exit


@app.callback()
def every(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", envvar="ARCHWRIGHT_DEBUG", help="Show tracebacks.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Neural architecture search on PyTorch: any space, any strategy, any estimator."""
    context.obj.debug = debug


@app.command(cls=WithFields, epilog=EPILOG)
def search(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(
            help="A task's name (archwright list tasks), a folder of images, a .csv, .npz or .txt, or file.py:name."
        ),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="A space's name, or file.py:name for your own.", rich_help_panel="Parts")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="A strategy's name, or file.py:name.", rich_help_panel="Parts")
    ] = None,
    estimator: Annotated[
        str | None, typer.Option(help="An estimator's name, or file.py:name.", rich_help_panel="Parts")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A published system (archwright list recipes) for all that is not said here.", rich_help_panel="Parts"
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            help="Of the recipe: 1, the default, is the paper's own size; 0.001 is for a small machine.",
            rich_help_panel="Parts",
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="valid_accuracy, min:latency_ms, 'parameters <= 1e5', ...; may be repeated.", rich_help_panel="Parts"
        ),
    ] = None,
    evaluations: Evaluations = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    workers: Workers = None,
    trial_minutes: TrialMinutes = None,
    trial_memory: TrialMemory = None,
    device: Device = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random in the search.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/TASK-1, -2, ... by default.")] = None,
    train_epochs: TrainEpochs = None,
    search_only: SearchOnly = False,
    config: Annotated[
        Path | None, typer.Option(help="A .yaml or .toml file with the same settings; options go before it.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search, train the winner, score it once on the test split, report, and export it.

    Fields of the parts are options too: --strategy.population 50, --space.cells 3, --estimator.epochs 6, --task.seed 3
    (`archwright list strategies` and so on name them all). A run that was interrupted goes on with `archwright resume`.
    """
    from archwright.cli import config as settings
    from archwright.cli import job, show

    fields: dict[str, dict[str, Any]] = context.meta[FIELDS]
    names = {"task": task, "space": space, "strategy": strategy, "estimator": estimator}
    parts = {part: {**({"name": name} if name else {}), **fields.get(part, {})} for part, name in names.items()}
    options = {
        **parts,
        "recipe": recipe,
        "scale": scale,
        "objectives": objective,
        "evaluations": evaluations,
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "workers": workers,
        "device": device,
        "out": out,
        "trial_minutes": trial_minutes,
        "trial_memory": trial_memory,
        "train_epochs": train_epochs,
        "search_only": search_only or None,
    }
    output = Output(json, quiet)
    run, ended = job.search(*settings.read(options, config), output)
    output.result(show.outcome(run, ended), list(show.outcome_text(run, ended)))


@app.command(epilog=EPILOG)
def resume(
    run: Run,
    evaluations: Evaluations = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    workers: Workers = None,
    trial_minutes: TrialMinutes = None,
    trial_memory: TrialMemory = None,
    device: Device = None,
    train_epochs: TrainEpochs = None,
    search_only: SearchOnly = False,
    space: OwnSpace = None,
    task: OwnTask = None,
    strategy: Annotated[str | None, typer.Option(help="The run's strategy if it is your own: file.py:name.")] = None,
    estimator: Annotated[str | None, typer.Option(help="The run's estimator if it is your own: file.py:name.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Continue a run where it stopped, then train, score, report and export as `search` does.

    A budget given here is of the whole run, what is done already included, and replaces the former one. Where the
    winner is trained, the search goes on with --search-only alone.
    """
    from archwright.cli import config as settings
    from archwright.cli import job, show
    from archwright.cli.own import Own
    from archwright.search import Budget

    limits = {
        "workers": workers,
        "trial_minutes": trial_minutes,
        "trial_memory": trial_memory,
        "train_epochs": train_epochs,
        "device": device,
        "search_only": search_only or None,
    }
    given = {"evaluations": evaluations, "epochs": epochs, "minutes": minutes, **limits}
    given = {name: value for name, value in given.items() if value is not None}
    wanted = settings.Settings(**{**job.Limits.kept(run), **settings.checked(given, settings.Origin(given))})
    budget = Budget(wanted.evaluations, wanted.epochs, wanted.minutes)
    own = Own.given(run, space=space, task=task, strategy=strategy, estimator=estimator)
    output = Output(json, quiet)
    done, ended = job.resume(run, None if budget == Budget() else budget, job.Limits.of(wanted), own, output)
    output.result(show.outcome(done, ended), list(show.outcome_text(done, ended)))


@app.command(epilog=EPILOG)
def show(
    run: Run,
    top: Annotated[int, typer.Option(min=0, help="How many of the best evaluations.")] = 10,
    space: OwnSpace = None,
    json: Json = False,
) -> None:
    """Show a run: what it is, its best evaluations, its Pareto front, its failures, its result."""
    import archwright
    from archwright.cli import show as showing
    from archwright.cli.own import Own

    loaded = archwright.load(run, space=Own.given(run, space=space).space)
    Output(json).result(showing.page(loaded, top), list(showing.page_text(loaded, top)))


@app.command(epilog=EPILOG)
def report(
    run: Run,
    output: Annotated[Path | None, typer.Option(help="The file; RUN/report.html by default.")] = None,
    space: OwnSpace = None,
    json: Json = False,
) -> None:
    """Write a run's report, one HTML file."""
    import archwright
    from archwright.cli.own import Own

    path = archwright.reports.html(archwright.load(run, space=Own.given(run, space=space).space), output)
    Output(json).result({"report": str(path)}, [str(path)])


@app.command(epilog=EPILOG)
def train(
    run: Run,
    evaluation: Annotated[
        int | None,
        typer.Option(min=0, help="Its number in `archwright show`; the best by default, by the first objective."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="The task's own number by default.")] = None,
    device: Device = None,
    space: OwnSpace = None,
    task: OwnTask = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a run's winner, or another of its evaluations, on the train and valid splits, and score it once on test.

    A training that was interrupted goes on when the same command is given again. The run's report is written anew.
    """
    from archwright.cli import job, show
    from archwright.cli.own import Own

    loaded, output = Own.given(run, space=space, task=task).load(run), Output(json, quiet)
    job.train(loaded, job.Limits(train_epochs=epochs, device=device or "auto"), output, evaluation)
    output.result(show.outcome(loaded), list(show.outcome_text(loaded)))


@app.command(epilog=EPILOG)
def export(
    run: Run,
    format: Annotated[str, typer.Option(help="source, onnx or torch.")] = "source",
    output: Annotated[Path | None, typer.Option(help="The file; RUN/export/model.* by default.")] = None,
    space: OwnSpace = None,
    task: OwnTask = None,
    json: Json = False,
) -> None:
    """Write the trained model as PyTorch source that imports only torch, as ONNX, or as a torch program."""
    from archwright.cli import job
    from archwright.cli.own import Own

    written = job.export(Own.given(run, space=space, task=task).load(run), format, output)
    files = [str(file) for file in written.files]
    Output(json).result({"path": str(written.path), "files": files, "max_difference": written.max_difference}, files)


@app.command(cls=WithBenchmark, epilog=EPILOG)
def compare(
    context: typer.Context,
    benchmark: Annotated[
        str,
        typer.Argument(
            help="A benchmark's name (archwright list benchmarks), a table (docs/benchmarks.md), or file.py:name."
        ),
    ],
    strategies: Annotated[
        list[str],
        typer.Option(
            help='random,bananas,"fast=regularized-evolution(population=10,sample=3)",file.py:name, or a .yaml file.'
        ),
    ],
    seeds: Annotated[int, typer.Option(help="Searches a strategy.")] = 30,
    seconds: Annotated[
        float | None, typer.Option(help="Stop a search after so many simulated seconds.", rich_help_panel="Budget")
    ] = None,
    evaluations: Evaluations = None,
    workers: Annotated[
        int, typer.Option(help="Trials of a search at a time, in simulated time.", rich_help_panel="Budget")
    ] = 1,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Judge the same winners on other data sets too, such as cifar100,imagenet16."),
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="The benchmark's own by default; constraints may stand beside it.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Searches at a time, in processes; all usable cores if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The comparison's folder; runs/compare-BENCHMARK-1, -2, ... by default.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare strategies on a benchmark's table, fairly: same space, objective, budget and seeds for all.

    Random search always takes part. Fields of the benchmark are options too: --benchmark.dataset cifar100. The same
    command goes on where it was interrupted; in the same folder, more strategies and more seeds may be added.
    """
    from archwright.cli import compare as comparing

    asked = comparing.Asked(
        benchmark,
        context.meta[FIELDS].get("benchmark", {}),
        strategies,
        also or [],
        objective or [],
        seeds,
        evaluations,
        seconds,
        workers,
        jobs,
        out,
    )
    compared = comparing.compare(asked, Output(json, quiet))
    Output(json).result(comparing.page(compared), list(comparing.page_text(compared)))


@app.command(cls=WithReference, epilog=EPILOG)
def diagnose(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(help="A task's name, a folder of images, a .csv, .npz or .txt, or file.py:name."),
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="A space's name, or file.py:name.", rich_help_panel="Reference")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="The estimator whose order counts; training by default; give its epochs: --reference.epochs 36.",
            rich_help_panel="Reference",
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="A benchmark's table is the reference, in its own space.", rich_help_panel="Reference"),
    ] = None,
    estimators: Annotated[
        list[str] | None,
        typer.Option(
            help='weight-sharing,"zero-cost(batch=128)","own=file.py:Mine(judged_by=min:score)", or a .yaml file.',
            rich_help_panel="Estimates",
        ),
    ] = None,
    fidelities: Annotated[
        list[str] | None,
        typer.Option(
            help="The reference at lower fidelities, such as 0.11,1/3 of 36 epochs.", rich_help_panel="Estimates"
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="Other metrics of the reference's own evaluations, such as min:train_loss,max:score.",
            rich_help_panel="Estimates",
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also the reference from another seed.", rich_help_panel="Estimates"),
    ] = False,
    objective: Annotated[
        str | None, typer.Option(help="What the reference is judged by; the task's score by default.")
    ] = None,
    architectures: Annotated[int, typer.Option(help="How many, drawn at random.")] = 60,
    near_top: Annotated[int, typer.Option(help="How many more, near the best of them.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Of the sample.")] = None,
    workers: Workers = None,
    trial_minutes: TrialMinutes = None,
    trial_memory: TrialMemory = None,
    device: Device = None,
    out: Annotated[
        Path | None, typer.Option(help="The diagnosis's folder; runs/diagnose-TASK-1, -2, ... by default.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how far cheap estimates rank architectures as a dear one does, and at which cost.

    Fields of the parts are options too: --reference.epochs 36, --space.cells 1, --benchmark.epochs 200. The same
    command goes on where it was interrupted; in the same folder, more estimators and metrics may be added.
    """
    from archwright.cli import diagnose as diagnosing

    fields: dict[str, dict[str, Any]] = context.meta[FIELDS]
    names = {"task": task, "space": space, "reference": reference, "benchmark": benchmark}
    parts = {part: {**({"name": name} if name else {}), **fields.get(part, {})} for part, name in names.items()}
    settings = {
        "task": parts["task"],
        "space": parts["space"],
        "estimator": parts["reference"],
        "seed": seed,
        "workers": workers,
        "trial_minutes": trial_minutes,
        "trial_memory": trial_memory,
        "device": device,
        "out": out,
    }
    asked = diagnosing.Asked(
        settings,
        parts["benchmark"],
        estimators or [],
        metrics or [],
        fidelities or [],
        objective,
        architectures,
        near_top,
        again,
    )
    diagnosed = diagnosing.diagnose(asked, Output(json, quiet))
    Output(json).result(diagnosing.page(diagnosed), list(diagnosing.page_text(diagnosed)))


@app.command(name="list", epilog=EPILOG)
def list_parts(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="A kind, such as spaces, strategies, estimators, samplings, tasks or recipes; all by default."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the library's parts with their fields, types and defaults."""
    from archwright.cli.listing import KINDS, listing, listing_text

    kinds = KINDS if kind is None else (kind,)
    found: Any = {name: listing(name) for name in kinds}
    Output(json).result(found if kind is None else found[kind], [line for name in kinds for line in listing_text(name)])
