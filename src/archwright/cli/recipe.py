"""A recipe as settings, as if they stood in a configuration file: so the user's own go over any of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from archwright import registry
from archwright.cli.config import Origin
from archwright.cli.fields import OURS
from archwright.cli.parts import made
from archwright.core.parts import describe


def settings_of(name: str, scale: float, task: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """Parts, objectives and budget of the recipe `name` for the task that the settings ask for.

    Raises:
        ArchwrightError: there is no such recipe, or no such task.
    """
    recipe = registry.find("recipes", name)(made("task", task, origin), scale)
    return {
        "space": _item(describe(recipe.space)),
        "strategy": _item(describe(recipe.strategy)),
        "estimator": _without(_item(describe(recipe.estimator)), OURS),
        "objectives": list(recipe.objectives),
        "evaluations": recipe.evaluations,
    }


def _item(described: Any) -> Any:
    """A description as a file has it: a part is its name and fields, a record its fields, an op its label."""
    if isinstance(described, list):
        return [_item(item) for item in described]
    if not isinstance(described, dict) or "arguments" not in described:
        return described
    name, arguments = described["name"], described["arguments"]
    if name == "op":
        return arguments["name"]
    fields = {key: _item(value) for key, value in arguments.items()}
    return fields if name in _RECORDS else {"name": name, **fields}


_RECORDS = ("hyperparameters", "expected-cost")
"""Values with fields that are no parts: there is one kind of them, so they have no name in a file."""


def _without(fields: Any, names: Collection[str]) -> Any:
    """Without what the command line fills in itself, in the parts inside too."""
    if not isinstance(fields, dict):
        return fields
    return {key: _without(value, names) for key, value in fields.items() if key not in names}
