"""A recipe as settings, as if they stood in a configuration file: so the user's own go over any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archwright import registry
from archwright.cli.config import Origin
from archwright.cli.fields import OURS, PARTS
from archwright.cli.parts import made
from archwright.core.parts import describe


def settings_of(name: str, scale: float, task: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """Parts, objectives and budget of the recipe `name` for the task that the settings ask for.

    Raises:
        ArchwrightError: there is no such recipe, or no such task.
    """
    recipe = registry.find("recipes", name)(made("task", task, origin), scale)
    estimator = {key: value for key, value in _part(recipe.estimator).items() if key not in OURS}
    return {
        "space": _part(recipe.space),
        "strategy": _part(recipe.strategy),
        "estimator": estimator,
        "objectives": list(recipe.objectives),
        "evaluations": recipe.evaluations,
    }


def _part(thing: Any) -> dict[str, Any]:
    """Name and fields, as a file has them."""
    described = describe(thing)
    fields = {key: _item(value) if key in PARTS else _value(value) for key, value in described["arguments"].items()}
    return {"name": described["name"], **fields}


def _value(described: Any) -> Any:
    """A field's value: in a list parts stand with their names, ops by their labels; a record is its fields."""
    if isinstance(described, list):
        return [_item(item) for item in described]
    return described["arguments"] if isinstance(described, dict) and "arguments" in described else described


def _item(described: Any) -> Any:
    if not isinstance(described, dict):
        return described
    if described["name"] == "op":
        return described["arguments"]["name"]
    return {"name": described["name"], **described["arguments"]}
