"""Settings of a search from options and from a configuration file, checked before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from archwright.cli.defaults import BUDGETS, DEFAULTS, FILES, TASK_DEFAULTS
from archwright.cli.outcome import Mistakes
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import kebab

READERS: Mapping[str, Callable[[str], Any]] = {
    ".yaml": yaml.safe_load,
    ".yml": yaml.safe_load,
    ".toml": tomllib.loads,
}


def _part(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and isinstance(value.get("name", ""), str):
        return dict(value)
    raise PydanticCustomError("part", "a name, or a name and fields")


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):  # which pydantic would take for 0 or 1
        raise PydanticCustomError("number", "a number")
    return value


Part = Annotated[dict[str, Any], BeforeValidator(_part)]
Count = Annotated[int, BeforeValidator(_no_flag), Field(gt=0)]
Amount = Annotated[float, BeforeValidator(_no_flag), Field(gt=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """All that a search can be told. The names are the keys of a configuration file and, with dashes, the options.

    A part is its name, or {"name": ..., field: value, ...}.
    """

    model_config = ConfigDict(extra="forbid")

    task: Part = {}
    space: Part = {}
    strategy: Part = {}
    estimator: Part = {}
    recipe: str | None = None
    scale: Annotated[float, BeforeValidator(_no_flag), Field(gt=0, le=1)] | None = None
    objectives: (
        Annotated[
            list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value), Field(min_length=1)
        ]
        | None
    ) = None
    evaluations: Count | None = None
    epochs: Amount | None = None
    minutes: Amount | None = None
    seed: Annotated[int, BeforeValidator(_no_flag), Field(ge=0)] = 0
    workers: Count = 1
    device: str = "auto"
    out: Path | None = None
    trial_minutes: Amount | None = None
    trial_memory: Amount | None = None
    train_epochs: Count | None = None
    search_only: bool = False


@dataclass(frozen=True)
class Origin:
    """Says where a setting was made, so that a message names the line to mend.

    Attributes:
        places: the files and modules that parts of the user's own may come from; None: any, as the user wrote it all.
    """

    options: Mapping[str, Any]
    file: Path | None = None
    places: frozenset[str] | None = None

    def __call__(self, path: str) -> str:
        """`path` such as "strategy.population", as the user wrote it."""
        return self._option(path) if self.file is None or self._is_option(path) else f"{self.file}: {path}"

    def _is_option(self, path: str) -> bool:
        inside: Any = self.options
        for key in path.split("."):
            if not isinstance(inside, Mapping) or key not in inside:
                return False
            inside = inside[key]
        return True

    @staticmethod
    def _option(path: str) -> str:
        return f"--{_OPTIONS.get(path, path if '.' in path else path.replace('_', '-'))}"


_OPTIONS = {"objectives": "objective"}  # repeated instead of a list


def read(options: Mapping[str, Any], file: Path | None = None) -> tuple[Settings, Origin]:
    """The settings: options over the file over the recipe over the defaults.

    Raises:
        ArchwrightError: a file that can't be read; unknown keys and wrong values, all of them at once.
    """
    given = {name: value for name, value in options.items() if value not in (None, {}, [])}
    origin = Origin(given, file)
    chosen = checked(given, origin)
    if file is not None:
        chosen = merged(checked(_load(file), Origin({}, file)), chosen)
    chosen = merged(_below(chosen, origin), chosen)
    return Settings.model_validate(chosen), origin


def checked(layer: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """One layer of settings, its values converted.

    Raises:
        Mistakes: a line for every wrong key or value.
    """
    try:
        return Settings.model_validate(layer).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise Mistakes(problems(error, origin)) from None


def problems(error: ValidationError, origin: Origin, path: str = "") -> list[str]:
    """What pydantic found, a line for each place: where, what was found, what is wanted."""
    wanted: dict[str, list[str]] = {}
    found: dict[str, Any] = {}
    for item in error.errors(include_url=False):
        keys = [str(key) for key in item["loc"][:1]] if not path else []
        where = ".".join([path, *keys] if path else keys)
        if item["type"] == "extra_forbidden":
            wanted[where] = [one_of("key", where, Settings.model_fields)]
            continue
        found.setdefault(where, item["input"])
        words = item["msg"].removeprefix("Input should be ").split(", unable")[0]
        wanted.setdefault(where, [])
        wanted[where] += [words] if words not in wanted[where] else []
    return [
        f"{origin(where)}: found {found[where]!r}, wanted {' or '.join(words)}"
        if where in found
        else f"{origin(where)}: {words[0]}"
        for where, words in wanted.items()
    ]


def merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`. The fields of a part go with its name: another name leaves those below behind."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            same = "name" not in value or "name" not in below or kebab(value["name"]) == kebab(below["name"])
            result[key] = merged(below, value) if same else value
        else:
            result[key] = value
    return result


def _below(chosen: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """What holds where nothing else is said: the defaults, and over them the recipe."""
    below = _defaults(chosen)
    if chosen.get("recipe") is None:
        if chosen.get("scale") is not None:
            raise ArchwrightError(f"{origin('scale')}: it shrinks a recipe; say which one with --recipe")
        return below
    from archwright.cli.recipe import settings_of  # it makes parts, and they need this module

    made = settings_of(chosen["recipe"], chosen.get("scale") or 1.0, merged(below, chosen)["task"], origin)
    if any(chosen.get(name) is not None for name in BUDGETS):
        made.pop("evaluations")
    return merged(below, made)


def _defaults(chosen: Mapping[str, Any]) -> dict[str, Any]:
    task = chosen.get("task", {}).get("name", DEFAULTS["task"]["name"])
    reader, _ = FILES.get(Path(task).suffix.lower(), (kebab(task), ""))
    special = dict(TASK_DEFAULTS.get(reader, {}))
    if any(chosen.get(name) is not None for name in BUDGETS):
        special = {name: value for name, value in special.items() if name not in BUDGETS}
    return merged(DEFAULTS, special)


def _load(file: Path) -> dict[str, Any]:
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise ArchwrightError(f"{file}: a configuration file ends in {', '.join(READERS)}")
    try:
        content = reader(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ArchwrightError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from error
    except (yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise ArchwrightError(f"{file} can't be understood: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ArchwrightError(f"{file}: found {type(content).__name__}, wanted keys and values, such as `task: digits`")
    keys = {str(key).replace("-", "_"): value for key, value in content.items() if value is not None}
    if "objective" in keys and "objectives" not in keys:
        keys["objectives"] = keys.pop("objective")
    return keys
