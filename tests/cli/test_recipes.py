"""`--recipe`: a published system from the command line, and everything that follows a search on its run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import archwright as aw
from archwright.cli.config import read

TINY = ("--recipe", "genetic-cnn", "--scale", "0.0001", "--evaluations", "2")


def test_a_recipe_goes_over_the_defaults_and_below_the_options() -> None:
    settings, _ = read({"recipe": "amoebanet", "scale": 0.01})
    assert settings.strategy == {"name": "regularized-evolution", "population": 10, "sample": 2}
    assert settings.space["name"] == "cell"
    assert settings.space["operations"][0] == "identity"
    assert (settings.evaluations, settings.estimator["epochs"]) == (200, 2)
    changed, _ = read(
        {"recipe": "amoebanet", "scale": 0.01, "minutes": 3, "strategy": {"population": 7}, "space": {"name": "chain"}}
    )
    assert changed.strategy == {"name": "regularized-evolution", "population": 7, "sample": 2}
    assert changed.space == {"name": "chain"}
    assert (changed.evaluations, changed.minutes) == (None, 3)


def test_every_recipe_makes_settings_that_make_its_parts_again() -> None:
    from archwright.cli.parts import made
    from archwright.core.parts import describe

    task = aw.tasks.digits()
    for name in aw.recipes.RECIPES:
        settings, origin = read({"recipe": name, "scale": 0.01})
        recipe = getattr(aw.recipes, name)(task, 0.01)
        for part in ("space", "strategy"):
            assert describe(made(part, getattr(settings, part), origin)) == describe(getattr(recipe, part))
        estimator = made("estimator", settings.estimator, origin, {"task": task, "checkpoints": None})
        assert describe(estimator) == describe(recipe.estimator)
        assert settings.objectives == list(recipe.objectives)


def test_a_scale_needs_a_recipe(cli: Callable[..., Any]) -> None:
    done = cli("search", "--scale", "0.1")
    assert (done.status, done.out) == (2, "")
    assert "--scale: it shrinks a recipe; say which one with --recipe" in done.err


def test_a_misspelt_recipe_lists_the_near_ones(cli: Callable[..., Any]) -> None:
    done = cli("search", "--recipe", "amobanet")
    assert done.status == 2
    assert "there is no recipe 'amobanet'; did you mean amoebanet" in done.err


def test_recipes_are_listed(cli: Callable[..., Any]) -> None:
    listed = {item["name"]: item for item in cli("list", "recipes", "--json").data}
    assert "Real et al., 2019" in listed["amoebanet"]["about"]
    assert [field["name"] for field in listed["amoebanet"]["fields"]] == ["scale"]


def test_a_run_of_a_recipe_is_a_run_like_any_other(cli: Callable[..., Any], tmp_path: Path) -> None:
    done = cli("search", "digits", *TINY, "--workers", "2", "--out", "run", "--search-only", "--json")
    assert done.status == 0, done.err
    assert cli("resume", "run", "--evaluations", "3", "--search-only").status == 0
    assert len(aw.load(tmp_path / "run").history) >= 3
    assert cli("train", "run", "--epochs", "1").status == 0
    assert cli("report", "run").status == 0
    assert cli("export", "run").status == 0
