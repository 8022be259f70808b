"""Parts of the user's own, which a run holds no code of: they are given again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archwright as aw
from archwright import registry
from archwright.cli.config import Origin
from archwright.cli.parts import KINDS, made
from archwright.core.errors import ArchwrightError
from archwright.core.parts import innermost, rebuildable, with_arguments_named

if TYPE_CHECKING:
    from archwright.run import Run


@dataclass(frozen=True)
class Own:
    """Parts of the user's own, which a run can't make again and the user gives again."""

    space: Any = None
    task: Any = None
    strategy: Any = None
    estimator: Any = None

    @classmethod
    def given(cls, **names: str | None) -> Own:
        """From what the options say."""
        parts = {part: made(part, {"name": name}, Origin({})) for part, name in names.items() if name is not None}
        return cls(parts.get("space"), parts.get("task"), parts.get("strategy"), parts.get("estimator"))

    def load(self, folder: Path) -> Run:
        """Opens a run with these parts."""
        run = aw.load(folder, space=self.space, task=self.task)
        self._check(run, "space", self.space, run.manifest["space"])
        self._check(run, "task", self.task, innermost(run.manifest["estimator"], "task"))
        return run

    def again(self, run: Run, part: str) -> Any:
        """The run's strategy or estimator as it was given again, else made again with the user's own task."""
        given, described = getattr(self, part), run.manifest[part]
        with_task = with_arguments_named(described, "task", self.task, lambda task: not rebuildable(task))
        if given is not None or self.task is None or with_task == described:
            return given
        return registry.rebuild(KINDS[part], with_task)

    @staticmethod
    def _check(run: Run, part: str, given: Any, described: Any) -> None:
        if given is None and described is not None and not rebuildable(described):
            raise ArchwrightError(f"the {part} of {run.folder} is your own: give it again, --{part} file.py:name")
