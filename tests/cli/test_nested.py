"""Parts inside parts on the command line: names, fields, defaults and mistakes at each level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archwright as aw
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
    assert estimator(name="staged", cheap="zero-cost").dear == aw.estimators.Training(TASK)


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
