"""A run: a search that is stored. Recorded while it runs, loaded afterwards, its winner trained to the end."""

from __future__ import annotations

import datetime
import importlib.metadata
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright import registry
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.objective import Goal
from archwright.core.parts import describe, innermost, on_device, with_arguments_named
from archwright.core.protocols import GradientStrategy, Stored
from archwright.runtime.inline import Inline
from archwright.runtime.machine import machine
from archwright.runtime.processes import Processes
from archwright.runtime.store import (
    FORMAT,
    STORE_FILES,
    Store,
    StoreError,
    read_json,
    read_manifest,
    write_json,
)
from archwright.search import Budget, Search, search
from archwright.spaces import operators
from archwright.spaces.space import Space
from archwright.winner import Winner

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from archwright.tasks import Task

SAME = ("space", "strategy", "estimator", "objectives", "seed", "task")
"""What has to be equal for a search to continue a run; but for where its estimator computes."""

BY_NAME = (
    "; on the command line, if it was made with fields of its own, such as --strategy.population 3, write a name in "
    "your file that holds them"
)
"""What to do about a part that is given again by its name alone, where nothing kept its fields."""


def record(wanted: Search, folder: str | Path) -> Search:
    """Stores a search in a run's folder; where the folder holds the beginning of the same search, continues it.

    Everything is written before a trial starts and after it ends, so nothing finished is ever lost.

    Raises:
        StoreError: the folder can't be written, is something else, or holds another search.
        ArchwrightError: this machine lacks a GPU that the trials need, where they run in it; or they are to run in
            worker processes, and something in the space or the estimator can't be sent there.
    """
    return _record(wanted, Path(folder), "give another folder")


def _record(wanted: Search, folder: Path, cure: str) -> Search:
    """`record`; `cure` is what to do where the folder holds another search."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder for the run")
    if isinstance(wanted.estimator, Stored):
        wanted.estimator = wanted.estimator.stored(str(folder))
    manifest = _manifest(wanted)
    if not (folder / "manifest.json").exists() and any(path.name not in STORE_FILES for path in _inside(folder)):
        raise StoreError(f"{folder} is not empty and no run of archwright: give another folder")
    if not (folder / "manifest.json").exists():
        _check_trials(wanted, manifest)  # before anything is written
    store = Store(folder, write=True)  # from here on nobody else writes
    try:
        if (folder / "manifest.json").exists():
            known = read_manifest(folder)
            _check_same(known, manifest, folder, cure)
        else:
            known = manifest
            write_json(folder / "manifest.json", known)
        history, times = store.load(wanted.history.goal)
        if history.asked and wanted.history.asked:
            raise StoreError(f"{folder} holds evaluations already, and so does the search: which ones should count?")
        if history.asked:
            wanted.history = history
            wanted.given = known.get("given", 0)
            wanted.elapsed_before = _last(times)
        if wanted.history.pending or wanted.budget.allows(wanted):  # what has ended needs no device any more
            _check_trials(wanted, manifest)
        if not history.asked:
            for position, evaluation in enumerate(wanted.history):  # what the search started from
                store.asked(position, evaluation.trial, position)
                store.answered(position, evaluation, 0.0)
    except BaseException:
        store.close()
        raise
    wanted.journal = store
    wanted.opening.append(lambda: _remember(wanted, folder))
    wanted.closing.append(store.close)
    return wanted


def resume(
    folder: str | Path,
    *,
    space: Space | None = None,
    estimator: Any = None,
    strategy: Any = None,
    budget: Budget | None = None,
    executor: Executor | None = None,
) -> Search:
    """The search of a run, to be continued where it stopped: iterate over it.

    Parts of the library are made again from the manifest. Parts of your own have to be given again, since a run
    holds no code; so do tasks whose data was given in memory.

    What is given anew (budget, device, workers) is kept in the manifest when the search goes on, before its first
    trial: after an interruption the run goes on with that.

    Args:
        estimator: besides one of your own, the run's with another `device`: where it computes may change.
        budget: the new limits, of the whole run; those of the manifest if None.

    Raises:
        StoreError: the folder is no run, or its parts are not the ones given.
        ArchwrightError: a part of your own is missing, or a GPU that the trials need.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    _check_given(folder, manifest, {"space": space, "strategy": strategy, "estimator": estimator})
    continued = search(
        space or registry.rebuild("spaces", manifest["space"]),
        strategy or registry.rebuild("strategies", manifest["strategy"]),
        estimator or registry.rebuild("estimators", manifest["estimator"]),
        objectives=manifest["objectives"],
        executor=executor,
        seed=manifest["seed"],
    )
    continued.budget = budget or Budget(**manifest["budget"])
    return _record(continued, folder, f"give what it was begun with{BY_NAME}")


def load(folder: str | Path, *, space: Space | None = None, task: Task | None = None) -> Run:
    """Opens a run to look at it. This executes nothing: it reads JSON and numbers.

    Args:
        space, task: parts of your own, which the run can't make again.

    Raises:
        StoreError: the folder is no run, is damaged, or was written by a newer version; or the space is another one.
    """
    run = Run(Path(folder), space, task)
    if space is not None and describe(space) != run.manifest["space"]:
        raise StoreError(
            f"the run {folder} searched {_short(run.manifest['space'])}, and the space given is "
            f"{_short(describe(space))}: give the one that it searched, unchanged{BY_NAME}"
        )
    return run


class Run:
    """A stored search.

    Attributes:
        folder: where it lies.
        manifest: versions, seed, parts, objectives, task and hardware; budget, device and workers as they were last.
        history: every evaluation, and what was pending when it stopped.
        times: seconds into the search at which each evaluation ended.
    """

    def __init__(self, folder: Path, space: Space | None = None, task: Task | None = None) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._space, self._task = space, task
        try:
            goal = Goal.of(self.manifest["objectives"])
        except KeyError as error:
            raise StoreError(f"{folder / 'manifest.json'} lacks {error}") from None
        if (folder / "history.sqlite").exists():
            with Store(folder) as store:
                self.history, self.times = store.load(goal)
        else:
            self.history, self.times = History(goal), []

    @cached_property
    def space(self) -> Space:
        """The space: the one given to `load`, else made again from the manifest."""
        made: Space = self._space or registry.rebuild("spaces", self.manifest["space"])
        return made

    @cached_property
    def task(self) -> Task:
        """The task: the one given to `load`, else made again from the manifest.

        Raises:
            ArchwrightError: the estimator has none, or its data was given in memory.
        """
        described = innermost(self.manifest["estimator"], "task")
        if self._task is None and described is None:
            raise ArchwrightError(f"{self.folder} names no task to train on: give one")
        made: Task = self._task or registry.rebuild("tasks", described)
        return made

    @property
    def elapsed(self) -> float:
        """Seconds that the search had run when its last evaluation ended."""
        return _last(self.times)

    @property
    def best(self) -> Winner:
        """The incumbent: with several objectives, of the Pareto front the best by the first one.

        Raises:
            ArchwrightError: no evaluation succeeded and kept the constraints; says why not.
        """
        best = self.history.best
        if best is None:
            raise ArchwrightError(f"{self.folder} has no winner: {self._why_not()}")
        return Winner(self, best)

    @property
    def front(self) -> list[Winner]:
        """The Pareto front; with one objective, the incumbent alone."""
        return [Winner(self, scored) for scored in self.history.front()]

    def winner(self, position: int) -> Winner:
        """The evaluation at a position, to be built or trained instead of the incumbent.

        Raises:
            ArchwrightError: there is none, or it failed or was rejected.
        """
        if not 0 <= position < len(self.history):
            held = f"evaluations 0 to {len(self.history) - 1}" if len(self.history) else "none yet"
            raise ArchwrightError(f"{self.folder} has no evaluation {position}: it has {held}")
        scored = self.history.scored(position)
        if scored is None:
            wrong = self.history[position]
            raise ArchwrightError(
                f"evaluation {position} of {self.folder} {'was rejected' if wrong.rejected else 'failed'} "
                f"({wrong.failure}), so there is nothing to train: take one that succeeded"
            )
        return Winner(self, scored)

    @property
    def result(self) -> dict[str, Any] | None:
        """What full training of the winner gave, the test score included; None before `train`."""
        path = self.folder / "result.json"
        return read_json(path) if path.exists() else None

    def _why_not(self) -> str:
        failed = [item.failure for item in self.history if item.failure and not item.rejected]
        rejected = [item.failure for item in self.history if item.failure and item.rejected]
        if not len(self.history):
            return "nothing was evaluated"
        if len(rejected) == len(self.history):
            return f"all {len(rejected):,} architectures were excluded before training; one was {min(rejected)}"
        if failed and len(failed) + len(rejected) == len(self.history):
            common = max(set(failed), key=failed.count)
            return f"all {len(failed):,} evaluations failed, {failed.count(common):,} with: {common}"
        return "no evaluation kept the constraints"


def _manifest(wanted: Search) -> dict[str, Any]:
    """What the run is, for people and for `resume`."""
    goal = wanted.history.goal
    task = getattr(wanted.estimator, "task", None)
    return {
        "format": FORMAT,
        "archwright": importlib.metadata.version("archwright"),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "space": describe(wanted.space),
        "space_size": _size(wanted.space),
        "strategy": describe(wanted.strategy),
        "objectives": [str(item) for item in goal.wanted],
        "seed": wanted.seed,
        "given": wanted.given,
        **_changing(wanted),
        "task": None if task is None else _summary(task),
        "machine": {**machine("torch", "numpy"), "gpu": _gpus()},
    }


def _changing(wanted: Search) -> dict[str, Any]:
    """Of the manifest, what may differ where a run goes on: of the estimator, where it computes."""
    return {
        # Where the run lies is no part of what it is.
        "estimator": with_arguments_named(describe(wanted.estimator), "checkpoints", None),
        "budget": dict(vars(wanted.budget)),
        "executor": {"name": type(wanted.executor).__name__, "workers": getattr(wanted.executor, "workers", 1)},
    }


def _remember(wanted: Search, folder: Path) -> None:
    """Writes into the manifest how the run goes on now, so that after an interruption it goes on in the same way."""
    known = read_manifest(folder)
    now = {**known, "given": wanted.given, **_changing(wanted)}
    if now != known:
        write_json(folder / "manifest.json", now)


def _last(times: list[float]) -> float:
    return times[-1] if times else 0.0


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _summary(task: Task) -> dict[str, Any]:
    from archwright.tasks.splitting import task_summary  # here, so that a search in a table needs no torch

    return task_summary(task)


def _size(space: Any) -> str | None:
    """Exact, as text: JSON readers elsewhere would round it."""
    return str(operators.size(space)) if isinstance(space, Space) else None


def _gpus() -> str | None:
    """The names of NVIDIA's GPUs. To ask torch would begin CUDA here, which processes forked later could not use."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # no such program, or no driver
        return None
    return ", ".join(line.strip() for line in listed.splitlines() if line.strip()) or None


def _check_trials(wanted: Search, manifest: dict[str, Any]) -> None:
    """Whether trials can be asked where they are to run: else each of them would fail."""
    _check_devices(wanted, manifest)
    if isinstance(wanted.executor, Processes) and not isinstance(wanted.strategy, GradientStrategy):
        wanted.executor.pack(wanted.answer)


def _check_devices(wanted: Search, manifest: dict[str, Any]) -> None:
    """Whether this machine has the GPUs that the trials need: else each of them would fail.

    Executors that aren't ours may run trials elsewhere.
    """
    if not isinstance(wanted.executor, Inline | Processes):
        return
    measured = set(_gpus_named([on_device(manifest["estimator"], None), manifest["strategy"]]))
    for device in sorted(measured.union(_gpus_named(manifest["estimator"]))):
        from archwright.training.loop import pick_device  # here, so that a search in a table needs no torch

        try:
            pick_device(device)
        except ArchwrightError:
            if device not in measured:
                raise
            raise ArchwrightError(
                f"a cost is measured on {device} in this search, and this machine lacks it: go on where there is one, "
                "or search anew with the cost on another device"
            ) from None


def _gpus_named(description: Any) -> Iterator[str]:
    """What arguments called `device` say, if it is a GPU of torch's: parts of the user's own may mean a telephone."""
    if isinstance(description, dict):
        device = description.get("device")
        if isinstance(device, str) and device.startswith("cuda"):
            yield device
        description = list(description.values())
    if isinstance(description, list):
        for inside in description:
            yield from _gpus_named(inside)


def _check_given(folder: Path, manifest: dict[str, Any], given: dict[str, Any]) -> None:
    """Whether what the manifest can't make again is given."""
    kinds = {"space": "spaces", "strategy": "strategies", "estimator": "estimators"}
    lacking = [part for part, kind in kinds.items() if given[part] is None and not registry.makes(kind, manifest[part])]
    if lacking:
        raise ArchwrightError(
            f"the run {folder} has parts or data of your own, and a run holds no code and no data: "
            f"give them again, aw.resume(folder, {', '.join(f'{part}=...' for part in lacking)})"
        )


def _check_same(old: dict[str, Any], new: dict[str, Any], folder: Path, cure: str) -> None:
    def settled(manifest: dict[str, Any], name: str) -> Any:
        return on_device(manifest.get(name), None) if name == "estimator" else manifest.get(name)

    different = [name for name in SAME if settled(old, name) != settled(new, name)]
    if different == ["task"]:  # where it is another task, so is the estimator
        raise StoreError(
            f"the data of {(new['task'] or old['task'])['name']} is not what it was when {folder} was searched: put "
            "the old data back, or search anew in another folder"
        )
    if different:
        name = different[0]
        raise StoreError(
            f"{folder} holds another search: its {name} is {_short(old.get(name))}, not {_short(new[name])}"
            f"{' (and ' + ', '.join(different[1:]) + ' differ)' if different[1:] else ''}; {cure}"
        )


def _short(description: Any) -> str:
    if isinstance(description, dict) and "declaration" in description:
        return f"{description['repr']} (declared as {description['declaration']})"
    if isinstance(description, dict) and "name" in description:
        inner = ", ".join(f"{key}={_short(value)}" for key, value in description["arguments"].items())
        return f"{description['name']}({inner[:200]})"
    return str(description)[:200]
