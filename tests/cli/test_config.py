from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archwright.cli.config import Settings, read
from archwright.cli.options import take_fields
from archwright.core.errors import ArchwrightError

YAML = """
task: {name: fashion-mnist, seed: 1}
space: {name: cell, blocks: 4}
strategy: regularized-evolution
estimator: {name: training, epochs: 6, costs: [parameters, {name: latency, batch_size: 32}]}
objectives: [valid_accuracy, "parameters <= 3e5"]
minutes: 30
seed: 1
workers: 2
trial-minutes: 5
out: runs/first
"""
TOML = """
task = {name = "fashion-mnist", seed = 1}
strategy = "regularized-evolution"
objectives = ["valid_accuracy", "parameters <= 3e5"]
minutes = 30
seed = 1
workers = 2
trial_minutes = 5
out = "runs/first"
[space]
name = "cell"
blocks = 4
[estimator]
name = "training"
epochs = 6
costs = ["parameters", {name = "latency", batch_size = 32}]
"""


def written(folder: Path, text: str, name: str = "first.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    settings, _ = read({}, written(tmp_path, YAML))
    assert settings == read({}, written(tmp_path, TOML, "first.toml"))[0]
    assert settings.task == {"name": "fashion-mnist", "seed": 1}
    assert settings.space == {"name": "cell", "blocks": 4}
    assert (settings.minutes, settings.evaluations, settings.workers, settings.out) == (30, None, 2, Path("runs/first"))


def test_options_say_the_same(tmp_path: Path) -> None:
    line = ["--task.seed", "1", "--space.blocks", "4", "--estimator.epochs=6"]
    rest, fields = take_fields(line)
    assert rest == []
    assert fields == {"task": {"seed": "1"}, "space": {"blocks": "4"}, "estimator": {"epochs": "6"}}


def test_options_go_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, YAML)
    settings, origin = read({"strategy": {"name": "random"}, "space": {"blocks": "2"}, "seed": 0}, file)
    assert settings.strategy == {"name": "random"}
    assert settings.space == {"name": "cell", "blocks": "2"}
    assert settings.seed == 0
    assert origin("space.blocks") == "--space.blocks"
    assert origin("estimator.epochs") == f"{file}: estimator.epochs"


def test_another_part_leaves_the_fields_of_the_former_behind(tmp_path: Path) -> None:
    assert read({"space": {"name": "chain"}}, written(tmp_path, YAML))[0].space == {"name": "chain"}


def test_a_budget_of_ones_own_replaces_the_default() -> None:
    assert read({})[0].evaluations is not None
    settings, _ = read({"minutes": 2.0})
    assert (settings.evaluations, settings.minutes) == (None, 2)


def test_defaults_of_a_task_are_for_that_task_only() -> None:
    assert read({"task": {"name": "mnist"}})[0].evaluations is None
    assert read({"task": {"name": "mnist"}})[0].estimator == {"name": "training", "epochs": 3}
    assert read({})[0].estimator == {"name": "training", "epochs": 6}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minutes: thirty", "minutes: found 'thirty', wanted a valid number"),
        ("evaluations: true", "evaluations: found True, wanted a number"),
        ("evaluations: 2.5", "evaluations: found 2.5, wanted a valid integer"),
        ("strtegy: random", "strtegy: there is no key 'strtegy'; did you mean strategy?"),
        ("space: 5", "space: found 5, wanted a name, or a name and fields"),
        ("objectives: {valid_accuracy: 1}", "objectives: found {'valid_accuracy': 1}, wanted a valid list"),
        ("seed: -1", "seed: found -1, wanted greater than or equal to 0"),
        ("- task", "found list, wanted keys and values"),
        ("task: [", "can't be understood: "),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ArchwrightError) as caught:
        read({}, file)
    assert str(caught.value).startswith(f"{file}")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_every_problem_has_its_line(cli: Callable[..., Any], tmp_path: Path) -> None:
    written(tmp_path, "minutes: thirty\nworkers: none\nstrtegy: x\n")
    done = cli("search", "--config", "first.yaml")
    assert done.status == 2
    assert len(done.err.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "space: {name: cell, bloks: 4}",
            "first.yaml: space.bloks: there is no field of cell 'bloks'; did you mean blocks",
        ),
        ("space: {name: cell, blocks: four}", "first.yaml: space.blocks: found 'four', wanted a valid integer"),
        ("strategy: randm", "first.yaml: strategy: there is no strategy 'randm'; did you mean random?"),
        ("estimator: {hyperparameters: {momentum: much}}", "estimator.hyperparameters.momentum: found 'much', wanted"),
        (
            "estimator: {costs: [{name: latency, batch: 2}]}",
            "there is no field of latency 'batch'; did you mean batch_size",
        ),
    ],
)
def test_wrong_fields_name_the_file(cli: Callable[..., Any], tmp_path: Path, text: str, message: str) -> None:
    written(tmp_path, text)
    done = cli("search", "--config", "first.yaml")
    assert done.status == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_every_option_of_search_is_a_key_and_the_other_way_round() -> None:
    import inspect

    from archwright.cli.app import search

    options = set(inspect.signature(search).parameters) - {"context", "config", "json", "quiet"}
    assert {"objectives" if name == "objective" else name for name in options} == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("line", "rest", "fields"),
    [
        ("mnist --task.seed 3", ["mnist"], {"task": {"seed": "3"}}),
        ("--task.seed=3 mnist", ["mnist"], {"task": {"seed": "3"}}),
        ("--task.sequences --json", ["--json"], {"task": {"sequences": True}}),
        ("--space.shift -2", [], {"space": {"shift": "-2"}}),
        ("--estimator.hyperparameters.crop 2", [], {"estimator": {"hyperparameters": {"crop": "2"}}}),
        ("./photos.d --out a.b", ["./photos.d", "--out", "a.b"], {}),
        ("-- --task.seed", ["--", "--task.seed"], {}),
        ("--strategy.of gdas --strategy.of.rate 2", [], {"strategy": {"of": {"name": "gdas", "rate": "2"}}}),
        ("--strategy.of.rate 2 --strategy.of gdas", [], {"strategy": {"of": {"name": "gdas", "rate": "2"}}}),
    ],
)
def test_dotted_options(line: str, rest: list[str], fields: dict[str, Any]) -> None:
    assert take_fields(line.split()) == (rest, fields)


def test_a_text_is_a_task_and_has_a_space_of_its_own(tmp_path: Path) -> None:
    from archwright.cli.parts import made

    book = tmp_path / "book.txt"
    book.write_text("to be, or not to be\n" * 30, encoding="utf-8")
    settings, origin = read({"task": {"name": str(book), "length": "9"}})
    assert settings.space == {"name": "darts-rnn"}
    task = made("task", settings.task, origin)
    assert task.made_by["name"] == "text-file"
    assert task.signature.input_shape == (9,)
    assert read({"task": {"name": "shakespeare"}})[0].space == {"name": "darts-rnn"}
    assert read({"task": {"name": str(book)}, "space": {"name": "enas-rnn"}})[0].space == {"name": "enas-rnn"}
