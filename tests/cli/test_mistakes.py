"""What the user gets wrong: one line that says what, where and what instead, before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MISTAKES = [
    ("serch", "Did you mean"),
    ("search --stratgy random", "No such option: --stratgy (Possible options: --estimator, --strategy)"),
    ("search diggits", "there is no task 'diggits'; did you mean digits?"),
    ("search ./photoes", "there is no folder of images and no file ./photoes"),
    ("search --space nasbench2O1", "there is no space 'nasbench2O1'; did you mean nasbench201"),
    ("search --strategy regularised-evolution", "did you mean regularized-evolution"),
    ("search --estimator trainin", "there is no estimator 'trainin'; did you mean training?"),
    ("search --objective valid_acuracy", "there is no metric 'valid_acuracy'; did you mean valid_accuracy?"),
    ("search --objective min:latency", "there is no metric 'latency'"),
    ("search --objective test_accuracy", "test_accuracy"),
    ("search --objective max:test_accuracy", "the test split is scored once"),
    ("search --objective 'parameters<=many'", "not a number: 'many'"),
    (
        "search --strategy.populaton 5",
        "--strategy.populaton: there is no field of regularized-evolution 'populaton'; did",
    ),
    ("search --strategy.population many", "--strategy.population: found 'many', wanted a valid integer"),
    ("search --strategy.population", "--strategy.population: found true, wanted int"),
    ("search --strategy.population 2 --strategy.sample 5", "1 <= sample <= population is needed"),
    ("search --stratgy.population 5", "there is no part 'stratgy'; did you mean strategy?"),
    ("search --estimator.along epoch", "there is no fidelity 'epoch'; did you mean epochs?"),
    ("search --estimator.costs latncy", "there is no cost 'latncy'; did you mean latency?"),
    ("search --estimator.hyperparameters.learnig_rate 0.1", "did you mean learning_rate?"),
    ("search --estimator.hyperparameters.optimizer adan", "found 'adan', wanted 'sgd' or 'adamw'"),
    ("search --estimator.task digits", "there is no field of training 'task'"),
    ("search --space cell --space.operations conv_3x4", "there is no op 'conv_3x4'; did you mean conv_3x3"),
    ("search --space chain --space.filters 16,many", "--space.filters"),
    ("search folder", "needs --task.path"),
    ("search --space nasbench201 --strategy darts", "needs an estimator that shares weights"),
    ("search --space chain --strategy darts --estimator weight-sharing", "<space chain> can't be left open"),
    (
        "search --estimator weight-sharing --estimator.sampling fare-nas",
        "there is no sampling 'fare-nas'; did you mean",
    ),
    (
        "search --estimator hypernetwork --estimator.weights smsh",
        "there is no hypernetwork 'smsh'; did you mean smash?",
    ),
    ("search --strategy darts --strategy.penalty.cost flop", "there is no cost 'flop'; did you mean flops?"),
    ("search --strategy robust-darts --strategy.of gdass", "there is no strategy 'gdass'; did you mean gdas"),
    ("search --recipe darts-rnn", "this space builds networks for texts"),
    ("search --evaluations 0", "--evaluations: found 0, wanted greater than 0"),
    ("search --minutes -1", "--minutes: found -1.0, wanted greater than 0"),
    ("search --evaluations many", "--evaluations"),
    ("search --workers 0", "--workers: found 0, wanted greater than 0"),
    ("search --trial-minutes 0", "--trial-minutes: found 0.0, wanted greater than 0"),
    ("search --estimator zero-cost", "say what to search by, such as --objective max:"),
    ("search --device gpu", "there is no device 'gpu'; use auto, cpu, cuda"),
    ("search --space nowhere.py:space", "there is no file"),
    ("search --config nowhere.yaml", "nowhere.yaml can't be read: No such file"),
    ("search --config settings.ini", "a configuration file ends in .yaml, .yml, .toml"),
    ("search . --evaluations 1", "class folder(s)"),
]


@pytest.mark.parametrize(("line", "message"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_one_line_says_what_is_wrong(cli: Callable[..., Any], tmp_path: Path, line: str, message: str) -> None:
    import shlex

    done = cli(*shlex.split(line))
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("archwright: error: ")
    assert list(tmp_path.iterdir()) == []


def test_all_mistakes_at_once(cli: Callable[..., Any]) -> None:
    done = cli("search", "--strategy.population", "x", "--strategy.sample", "y")
    assert [line.partition("--")[2][:19] for line in done.err.splitlines()] == [
        "strategy.population",
        "strategy.sample: fo",
    ]


def test_no_budget(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch, archwright as aw\n"
        "def task():\n    return aw.tasks.arrays(torch.rand(40, 1, 4, 4), torch.arange(40) % 2)\n"
        "other = 5\nbroken = lambda: 1 / 0\n"
    )
    done = cli("search", "mine.py:task")
    assert done.status == 2
    assert "give a budget: one or more of --evaluations, --epochs, --minutes" in done.err
    assert "mine.py:other is no task but a int" in cli("search", "mine.py:other").err
    assert "mine.py:broken: ZeroDivisionError: division by zero" in cli("search", "mine.py:broken").err
    assert "there is no name 'tsk'; did you mean task?" in cli("search", "mine.py:tsk").err


def test_a_file_of_ones_own_that_fails(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("import nothing_of_this_name\n")
    done = cli("search", "--space", "random.py:space")
    assert done.status == 2
    assert "can't be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'" in done.err


def test_errors_as_json(cli: Callable[..., Any]) -> None:
    assert "there is no task" in cli("search", "diggits", "--json").data["error"]
    assert "Possible options" in cli("search", "--stratgy", "x", "--json").data["error"]
