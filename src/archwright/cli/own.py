"""Parts of the user's own, which a run holds no code of: they are given again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archwright as aw
from archwright import registry
from archwright.cli.checks import goal_of
from archwright.cli.config import Origin, Settings, checked
from archwright.cli.defaults import PARTS
from archwright.cli.parts import KINDS, is_own, made, place_of
from archwright.core.errors import ArchwrightError
from archwright.core.parts import innermost, kebab, rebuildable, with_arguments_named
from archwright.runtime.store import read_json, read_manifest

if TYPE_CHECKING:
    from archwright.run import Run

JOB = "job.json"
"""The file in a run's folder with the limits of its search, and with what its parts were given as."""


def kept(folder: Path) -> dict[str, Any]:
    """What a run's job file holds; empty if there is none."""
    return dict(read_json(folder / JOB)) if (folder / JOB).exists() else {}


def kept_parts(folder: Path) -> dict[str, dict[str, Any]]:
    """What the parts of a run were given as, each its name and fields; older runs don't know it."""
    return _parts(kept(folder), folder)


def _parts(job: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    return checked(job.get("parts", {}), Origin({}, folder / JOB))


def parts_of(settings: Settings) -> dict[str, Any]:
    """What the parts are given as, for the job file; without those that hold what is no JSON, as YAML may."""
    return {part: given for part in PARTS if _is_json(given := getattr(settings, part))}


@dataclass(frozen=True)
class Own:
    """Parts of the user's own, which a run can't make again and the user gives again: by name alone, the fields are
    those that the search was begun with, where its job file has them.
    """

    space: Any
    task: Any
    named: Mapping[str, Mapping[str, Any]]  # name and fields of those given
    origin: Origin
    device: str  # that it was told to compute on last

    @classmethod
    def given(cls, folder: Path, **names: str | None) -> Own:
        """From what the options say of a run's parts."""
        job = kept(folder)
        known = _parts(job, folder)
        said = {part: name for part, name in names.items() if name is not None}
        named = {part: _with_fields(name, known.get(part, {})) for part, name in said.items()}
        if "estimator" in said and "task" not in said and _tells_no_task(folder, known):
            named["task"] = known["task"]
        places = frozenset(place_of(name) for name in said.values() if is_own(name))
        options = {part: {"name": name} for part, name in said.items()}
        origin = Origin(options, folder / JOB if known else None, places)
        parts = {part: made(part, given, origin) for part, given in named.items() if part in ("space", "task")}
        return cls(parts.get("space"), parts.get("task"), named, origin, job.get("device", "auto"))

    def load(self, folder: Path) -> Run:
        """Opens a run with these parts."""
        run = aw.load(folder, space=self.space, task=self.task)
        self._check(run, "space", self.space, run.manifest["space"])
        self._check(run, "task", self.task, innermost(run.manifest["estimator"], "task"))
        return run

    def again(self, run: Run, part: str) -> Any:
        """The run's strategy or estimator as it is given again, else made again with the user's own task; None where
        the run's description is enough.

        Raises:
            ArchwrightError: it is the user's own, or holds one, and isn't given.
        """
        described = run.manifest[part]
        if part in self.named:
            return self._made(run, part)
        with_task = with_arguments_named(described, "task", self.task, lambda task: not rebuildable(task))
        self._check(run, part, None, with_task)
        return None if self.task is None or with_task == described else registry.rebuild(KINDS[part], with_task)

    def _made(self, run: Run, part: str) -> Any:
        """Made as in a search of the command line: with the task, the device, and the costs that objectives need."""
        is_told = self.task is not None or innermost(run.manifest["estimator"], "task") is not None
        task: Any = run.task if is_told else None
        ours = {"task": task, "checkpoints": None} | ({} if self.device == "auto" else {"device": self.device})
        found = made(part, self.named[part], self.origin, ours if is_told else None)
        if part != "estimator":
            return found
        return goal_of(Settings(objectives=run.manifest["objectives"], device=self.device), found, task)[1]

    @staticmethod
    def _check(run: Run, part: str, given: Any, described: Any) -> None:
        if given is None and described is not None and not registry.makes(KINDS[part], described):
            holds = " or holds a part of" if part in ("strategy", "estimator") else ""
            raise ArchwrightError(
                f"the {part} of {run.folder} is{holds} your own: give it again, --{part} file.py:name"
            )


def _with_fields(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """A part by its name, with the fields that are known of it if it has that name: its file may lie elsewhere now."""
    return {**known, "name": name} if _short(name) == _short(str(known.get("name", ""))) else {"name": name}


def _tells_no_task(folder: Path, known: Mapping[str, Any]) -> bool:
    """Whether an estimator of the user's own hides its task, and the job file knows it as one of the library's."""
    hidden = innermost(read_manifest(folder)["estimator"], "task") is None
    return hidden and "task" in known and not is_own(known["task"]["name"])


def _short(name: str) -> str:
    return Path(name).name if is_own(name) else kebab(name)


def _is_json(given: Any) -> bool:
    try:
        json.dumps(given)
    except (TypeError, ValueError):
        return False
    return True
