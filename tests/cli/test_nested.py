"""Parts inside parts on the command line: names, fields, defaults and mistakes at each level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import archwright as aw
from archwright.cli.checks import equal_rungs
from archwright.cli.config import Origin
from archwright.cli.parts import made
from archwright.core.errors import ArchwrightError
from archwright.core.parts import innermost

TASK = aw.tasks.digits()
OURS = {"task": TASK, "checkpoints": None}


def estimator(**given: Any) -> Any:
    return made("estimator", given, Origin({}), OURS)


def strategy(**given: Any) -> Any:
    return made("strategy", given, Origin({}), OURS)


def test_an_estimator_inside_that_nobody_names_is_training() -> None:
    found = estimator(name="inherited", of={"epochs": "2"})
    assert found == aw.estimators.Inherited(aw.estimators.Training(TASK, 2))
    assert type(estimator(name="staged", cheap="zero-cost").dear) is aw.estimators.Training


def test_the_command_lines_own_defaults_hold_inside_other_parts_too() -> None:
    """On digits training has 6 epochs and evolution a population of 8; on other data 3 epochs and 10."""
    for given in ({"name": "early-stopping"}, {"name": "mean", "of": "training"}, {"name": "cached", "folder": "x"}):
        assert estimator(**given).of == aw.estimators.Training(TASK, 6)
    staged = estimator(name="staged", cheap="training(epochs=1)", by="valid_accuracy")
    assert (staged.cheap, staged.dear) == (aw.estimators.Training(TASK, 1), aw.estimators.Training(TASK, 6))
    evolution = strategy(name="hyperband", of={"name": "regularized-evolution", "population": "20"}).of
    assert evolution == aw.strategies.RegularizedEvolution(population=20, sample=3)
    assert strategy(name="asha", of="regularized-evolution").of.population == 8
    assert estimator(name="mean", of="weight-sharing").of == aw.estimators.WeightSharing(TASK)
    other = {"task": aw.tasks.arrays(torch.zeros(20, 1, 4, 4), torch.arange(20) % 2)}
    assert made("estimator", {"name": "mean"}, Origin({}), other).of.epochs == 3
    assert made("strategy", {"name": "asha", "of": "regularized-evolution"}, Origin({}), other).of.population == 10


def test_without_a_task_such_as_in_a_comparison_parts_have_their_papers_defaults() -> None:
    alone = made("strategy", {"name": "asha", "of": "regularized-evolution"}, Origin({}))
    assert alone.of == aw.strategies.RegularizedEvolution()


def test_a_number_may_be_written_as_a_fraction() -> None:
    rungs = aw.strategies.ASHA(lowest=1 / 27)
    assert strategy(name="asha", lowest="1/27") == rungs
    levels = (1 / 27, 1 / 9, 1 / 3, 1.0)
    for written in ("1/27,1/9,1/3,1", ["1/27", "1/9", 1 / 3, 1]):
        assert strategy(name="asha", levels=written).levels == levels
    assert strategy(name="hyperband", of="warm(of=random,cheap=zero-cost,pool=20/2)").of.pool == 10
    for wrong in ("1/0", "1/x", "/3", "one"):
        with pytest.raises(ArchwrightError, match=f"--strategy.lowest: found '{wrong}', wanted a valid number"):
            strategy(name="asha", lowest=wrong)


def test_estimators_nest_to_any_depth_by_fields_and_in_brackets() -> None:
    wanted = aw.estimators.Mean(aw.estimators.Inherited(aw.estimators.Training(TASK, 3)), seeds=2)
    inner = {"name": "inherited", "of": {"name": "training", "epochs": 3}}
    assert estimator(name="mean", seeds=2, of=inner) == wanted
    assert estimator(name="mean", seeds="2", of="inherited(of=training(epochs=3))") == wanted


def test_a_default_that_is_a_part_keeps_its_other_fields() -> None:
    found = estimator(name="early-stopping", by={"least": "7"})
    assert found.by == aw.curves.SupportVectors(least=7)
    assert strategy(name="bohb", of={"share": "0.2"}).of == aw.strategies.KernelDensity(share=0.2)


def test_a_strategy_may_hold_an_estimator() -> None:
    found = strategy(name="warm", of="random", cheap={"name": "zero-cost", "proxies": "synflow,l2-norm"}, pool="20")
    assert found.cheap == aw.estimators.ZeroCost(TASK, ("synflow", "l2_norm"))


def test_hyperparameters_inside_are_the_tasks_but_for_what_is_said() -> None:
    found = estimator(name="inherited", of={"hyperparameters": {"learning-rate": "0.05"}})
    assert found.of.hyperparameters.learning_rate == 0.05
    assert found.of.hyperparameters.batch_size == TASK.hyperparameters.batch_size


def test_a_part_of_the_users_own_may_stand_inside(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("import archwright as aw\nMine = aw.strategies.RegularizedEvolution\n")
    found = strategy(name="hyperband", of={"name": f"{own}:Mine", "population": "7", "sample": "3"})
    assert found.of == aw.strategies.RegularizedEvolution(population=7, sample=3)


@pytest.mark.parametrize(
    ("part", "given", "complaint"),
    [
        (estimator, {"name": "inherited", "of": {"epoch": 2}}, "did you mean epochs"),
        (estimator, {"name": "mean", "epochs": 2}, r"of, seeds \(training, inside it, has one: --estimator.of.epochs"),
        (estimator, {"name": "mean", "of": "cached", "epochs": 2}, r"\(training, .*: --estimator.of.of.epochs\)"),
        (estimator, {"name": "staged", "cheap": "zero-cost", "epochs": 2}, r": --estimator.dear.epochs\)"),
        (estimator, {"name": "mean", "of": "trainin", "epochs": 2}, "'epochs'; there are of, seeds"),
        (estimator, {"name": "mean", "task": "digits"}, "'task'; there are of, seeds$"),
        (strategy, {"name": "asha", "of": "tree-search", "exploration": 2}, r"\(tree-search, .*: --strategy.of.explor"),
        (estimator, {"name": "inherited", "of": "trainin"}, "did you mean training"),
        (estimator, {"name": "early-stopping", "by": "last-valu"}, "did you mean last-value"),
        (estimator, {"name": "staged"}, "needs --estimator.cheap"),
        (estimator, {"name": "zero-cost", "proxies": "snap"}, "did you mean snip"),
        (strategy, {"name": "hyperband", "of": "bananass"}, "did you mean bananas"),
        (strategy, {"name": "warm", "cheap": "zero-cost", "of": {"population": 3}}, "say which of the strategies"),
    ],
)
def test_mistakes_name_the_level(part: Callable[..., Any], given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArchwrightError, match=complaint):
        part(**given)


def test_listed_defaults_are_the_real_ones(cli: Callable[..., Any]) -> None:
    parts = {part["name"]: part for part in cli("list", "estimators", "--json").data}
    fields = {field["name"]: field for field in parts["early-stopping"]["fields"]}
    assert fields["by"]["default"]["name"] == "support-vectors"
    kinds = ("extrapolators", "predictors", "proxies")
    names = {part["name"] for kind in kinds for part in cli("list", kind, "--json").data}
    assert {"power-law", "gaussian", "synflow"} <= names


def test_a_winner_is_trained_as_the_dear_stage_trained_it(tmp_path: Path) -> None:
    """The cheap stage comes first among the fields, and has a task and hyper-parameters of its own."""
    from dataclasses import replace

    slow, fast = (replace(TASK.hyperparameters, learning_rate=rate) for rate in (1e-6, 0.05))
    cheap = aw.estimators.Training(aw.tasks.digits(seed=5), 1, hyperparameters=slow)
    dear = aw.estimators.Inherited(aw.estimators.Training(TASK, 1, hyperparameters=fast))
    staged = aw.estimators.Staged(cheap, dear, by="max:valid_accuracy")
    run = aw.search(aw.spaces.nasbench201(cells=1, channels=4), aw.strategies.Random(), staged, objectives="parameters")
    with aw.record(run, tmp_path):
        pass
    described = aw.load(tmp_path).manifest["estimator"]
    assert innermost(described, "hyperparameters")["arguments"]["learning_rate"] == 0.05
    assert aw.load(tmp_path).task.name == TASK.name
    assert innermost(described, "task")["arguments"]["seed"] == 0


def test_nash_with_inherited_weights_from_the_command_line(cli: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["--strategy", "nash", "--space", "growing", "--space.widths", "4,8", "--space.max-layers", "2"]
    arguments += ["--estimator", "inherited", "--estimator.of.epochs", "1", "--evaluations", "3", "--search-only"]
    cli("search", "digits", *arguments, "--out", str(run))
    history = aw.load(run).history
    assert [item.failure for item in history] == [None] * 3
    children = [item for item in history if item.trial.parent is not None]
    assert children
    assert all(item.metrics["exact"] == 1.0 for item in children)
    cli("resume", str(run), "--evaluations", "4", "--search-only")
    assert len(aw.load(run).history) == 4


def test_rungs_that_come_to_the_same_training_are_told() -> None:
    said = equal_rungs(aw.strategies.ASHA(), aw.estimators.Inherited(aw.estimators.Training(TASK, 3)))
    assert said is not None
    assert said.startswith("the rungs are 1 epoch, 1 epoch, 3 epochs: give the training more epochs")
    assert equal_rungs(aw.strategies.ASHA(), aw.estimators.Training(TASK, 9)) is None
    assert equal_rungs(aw.strategies.ASHA(), aw.estimators.Training(TASK, 3, along=("data",))) is None
    assert equal_rungs(aw.strategies.RegularizedEvolution(), aw.estimators.Training(TASK, 3)) is None


def test_a_number_is_no_part() -> None:
    with pytest.raises(ArchwrightError, match=r"--estimator.of: found 5, wanted the name of a part"):
        estimator(name="mean", of=5)
