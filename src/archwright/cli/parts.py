"""Parts by name: the library's, or the user's own as `file.py:name` and `package.module:name`."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from archwright import registry
from archwright.cli.config import Origin
from archwright.cli.defaults import FILES
from archwright.cli.fields import make
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import kebab

KINDS = {
    "task": "tasks",
    "space": "spaces",
    "strategy": "strategies",
    "estimator": "estimators",
    "benchmark": "benchmarks",
}
_MARKS = {
    "task": ("prepare",),
    "space": ("walk",),
    "strategy": ("propose", "relax"),
    "estimator": ("estimate",),
    "benchmark": ("final",),
}
"""Methods, of which one tells each part from anything else."""


def made(part: str, given: Mapping[str, Any], origin: Origin, ours: Mapping[str, Any] | None = None) -> Any:
    """The task, space, strategy, estimator or benchmark that the settings ask for.

    Args:
        given: "name" and fields.
        ours: fields that we fill in where the part has them.

    Raises:
        ArchwrightError: no such part, or fields that don't fit.
    """
    fields = {name: value for name, value in given.items() if name != "name"}
    found, fields = _found(part, given["name"], fields, origin)
    if callable(found):
        try:
            found = make(found, fields, part, origin, ours)
        except ArchwrightError:
            raise
        except Exception as error:  # the user's own function
            raise ArchwrightError(f"{given['name']}: {type(error).__name__}: {error}") from error
    elif fields:
        raise ArchwrightError(
            f"{origin(f'{part}.{next(iter(fields))}')}: {given['name']} is made already, it has no fields"
        )
    if not any(hasattr(type(found), method) for method in _MARKS[part]):
        raise ArchwrightError(f"{given['name']} is no {part} but a {type(found).__name__}")
    return found


def _found(part: str, name: str, fields: dict[str, Any], origin: Origin) -> tuple[Any, dict[str, Any]]:
    """What has that name; for a task or a benchmark also what lies at that path."""
    if is_own(name):
        return own(name), fields
    if part == "benchmark" and is_table(name):
        from archwright.benchmarks import load

        path = Path(name).expanduser()
        return load, {"path": str(path.resolve()) if path.is_file() else name, **fields}
    if part == "task" and kebab(name) not in registry.parts("tasks"):
        path = Path(name).expanduser()
        if path.is_dir():
            return registry.find("tasks", "folder"), {"path": str(path.resolve()), **fields}
        if path.is_file() and path.suffix.lower() in FILES:
            reader, field = FILES[path.suffix.lower()]
            return registry.find("tasks", reader), {field: str(path.resolve()), **fields}
        if "/" in name or path.suffix:
            raise ArchwrightError(
                f"there is no folder of images and no file {name}"
                if not path.exists()
                else f"{name} is no task: give a folder of images, one folder a class, an .npz or .csv file, a text "
                "(.txt), or file.py:task"
            )
    try:
        return registry.find(KINDS[part], name), fields
    except ArchwrightError as error:
        where = f"{origin(part)}: " if origin.file and not origin.options.get(part, {}).get("name") else ""
        raise ArchwrightError(f"{where}{error}") from None


def is_own(name: str) -> bool:
    """Whether it is written `file.py:name` or `package.module:name`."""
    return re.fullmatch(r".+\.py:\w+|\w+(\.\w+)*:\w+", name) is not None


def place_of(name: str) -> str:
    """The file, in full, or the module that a part of the user's own comes from."""
    place = name.rpartition(":")[0]
    return str(Path(place).expanduser().resolve()) if place.endswith(".py") else place


def check_place(name: str, origin: Origin) -> None:
    """Whether a part of the user's own may be looked for: what a run's folder says is never run by itself.

    Raises:
        ArchwrightError: it is from a file that the user doesn't name.
    """
    if origin.places is not None and place_of(name) not in origin.places:
        raise ArchwrightError(
            f"{origin.file} names {name}, and no file is run because a run's folder names it: give a name in your own "
            "file that holds the whole part"
        )


def is_table(name: str) -> bool:
    """Whether it is a file in the table format, or the name of a table that was imported, and no benchmark of ours."""
    from archwright.benchmarks.files import data_folder
    from archwright.benchmarks.saving import KINDS as ENDINGS

    if kebab(name) in registry.parts("benchmarks"):
        return False
    return "/" in name or name.endswith(ENDINGS) or any((data_folder() / f"{name}{kind}").is_file() for kind in ENDINGS)


def own(text: str) -> Any:
    """What `file.py:name` or `package.module:name` stands for. This runs the user's own file.

    Raises:
        ArchwrightError: no such file or name, or the file fails.
    """
    place, _, name = text.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    except ArchwrightError:
        raise
    except (Exception, SystemExit) as error:
        raise ArchwrightError(f"{place} can't be imported: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        names = [key for key in vars(module) if not key.startswith("_")]
        raise ArchwrightError(f"{place}: {one_of('name', name, names)}")
    return getattr(module, name)


def _from_package(name: str) -> ModuleType:
    _reachable(Path.cwd())
    return importlib.import_module(name)


def _from_file(file: Path) -> ModuleType:
    import cloudpickle

    file = file.expanduser().resolve()
    if not file.is_file():
        raise ArchwrightError(f"there is no file {file}")
    name = file.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    if loaded is not None or importlib.util.find_spec(name) is not None:
        name = f"own_{name}"  # a file called random.py shall not replace Python's
    _reachable(file.parent)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    cloudpickle.register_pickle_by_value(module)  # worker processes need not find the file
    return module


def _reachable(folder: Path) -> None:
    """What lies beside the user's file can be imported, here and in worker processes."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
