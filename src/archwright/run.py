"""A run: a search that is stored. Recorded while it runs, loaded afterwards, its winner trained to the end."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright import registry
from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, in_one_line
from archwright.core.history import History, Scored
from archwright.core.objective import Goal
from archwright.core.parts import describe, innermost, on_device, with_arguments_named
from archwright.core.protocols import Stored
from archwright.core.trial import Evaluation
from archwright.runtime.files import whole
from archwright.runtime.inline import Inline
from archwright.runtime.machine import machine
from archwright.runtime.processes import Processes
from archwright.runtime.store import (
    FORMAT,
    STORE_FILES,
    Store,
    StoreError,
    alone,
    read_json,
    read_manifest,
    write_json,
)
from archwright.search import Budget, Search, search
from archwright.spaces import operators
from archwright.spaces.space import Space

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import torch
    from torch import nn

    from archwright.tasks import Task
    from archwright.training.loop import Fit

SAME = ("space", "strategy", "estimator", "objectives", "seed", "task")
"""What has to be equal for a search to continue a run; but for where its estimator computes."""

KEPT_EVERY = 30.0
"""Seconds between two states of a winner's training that are kept: to write one may take longer than an epoch."""


def record(wanted: Search, folder: str | Path) -> Search:
    """Stores a search in a run's folder; where the folder holds the beginning of the same search, continues it.

    Everything is written before a trial starts and after it ends, so nothing finished is ever lost.

    Raises:
        StoreError: the folder can't be written, is something else, or holds another search.
        ArchwrightError: this machine lacks a GPU that the trials need, where they run in it.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder for the run")
    if isinstance(wanted.estimator, Stored):
        wanted.estimator = wanted.estimator.stored(str(folder))
    manifest = _manifest(wanted)
    if not (folder / "manifest.json").exists() and any(path.name not in STORE_FILES for path in _inside(folder)):
        raise StoreError(f"{folder} is not empty and no run of archwright: give another folder")
    if not (folder / "manifest.json").exists():
        _check_devices(wanted, manifest)  # before anything is written
    store = Store(folder, write=True)  # from here on nobody else writes
    try:
        if (folder / "manifest.json").exists():
            _check_same(read_manifest(folder), manifest, folder)
        else:
            write_json(folder / "manifest.json", manifest)
        history, times = store.load(wanted.history.goal)
        if history.asked and wanted.history.asked:
            raise StoreError(f"{folder} holds evaluations already, and so does the search: which ones should count?")
        if history.asked:
            wanted.history, wanted.goes_on = history, True
            wanted.elapsed_before = _last(times)
        if wanted.history.pending or wanted.budget.allows(wanted):  # what has ended needs no device any more
            _check_devices(wanted, manifest)
    except BaseException:
        store.close()
        raise
    for position, evaluation in enumerate(wanted.history if not history.asked else ()):  # what the search started from
        store.asked(position, evaluation.trial, position)
        store.answered(position, evaluation, 0.0)
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
    manifest = read_manifest(Path(folder))
    continued = search(
        space or registry.rebuild("spaces", manifest["space"]),
        strategy or registry.rebuild("strategies", manifest["strategy"]),
        estimator or registry.rebuild("estimators", manifest["estimator"]),
        objectives=manifest["objectives"],
        executor=executor,
        seed=manifest["seed"],
    )
    continued.budget = budget or Budget(**manifest["budget"])
    return record(continued, folder)


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
            f"{_short(describe(space))}: give the one that it searched, unchanged"
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


@dataclass(frozen=True)
class Winner:
    """An evaluation of a run, picked to be kept."""

    run: Run
    scored: Scored

    @property
    def architecture(self) -> Architecture:
        """Its decisions."""
        return self.scored.evaluation.trial.architecture

    @property
    def evaluation(self) -> Evaluation:
        """Its metrics, curve and cost in the search."""
        return self.scored.evaluation

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return self.run.space.build(self.architecture, self.run.task.signature)

    def train(
        self,
        task: Task | None = None,
        *,
        epochs: int | None = None,
        seed: int = 0,
        device: str = "auto",
        on_epoch: Callable[[int, int, float], None] | None = None,
    ) -> nn.Module:
        """Trains on train and validation split together, scores once on the test split, and keeps both in the run.

        A run's test split is scored once: where the run has its result already, the kept model returns. A training that
        was interrupted goes on where the same one (epochs, seed and hyper-parameters) was kept last: after its last
        epoch, and after others at most every `KEPT_EVERY` seconds.

        Args:
            epochs: the task's own default if None.
            on_epoch: told after each epoch: how many are done, of how many, and the mean training loss.

        Raises:
            ArchwrightError: another architecture of this run was scored before; or the test split can't be scored.
            StoreError: another process writes to the run; or the trained weights can't be written.
        """
        task = task or self.run.task
        if self.run.result is None:
            _check_unchanged(self.run, task)
            with alone(self.run.folder):
                if self.run.result is None:  # still: another process may have been first
                    return self._train(task, epochs or task.epochs, seed, device, on_epoch)
        return self.trained(task)

    def _train(
        self,
        task: Task,
        epochs: int,
        seed: int,
        device: str,
        on_epoch: Callable[[int, int, float], None] | None,
    ) -> nn.Module:
        import torch

        from archwright.training.loop import Fit, pick_device
        from archwright.training.seeding import seeded

        where, given = pick_device(device), _hyperparameters(self.run, task)
        started = time.perf_counter()
        with seeded(seed, "weights", device=where):
            network = self.run.space.build(self.architecture, task.signature).to(where)
        fit = Fit(network, task, (task.train + task.valid).to(where), given, epochs, seed, where)
        seconds = _finish(fit, self._state_file(task, given, epochs, seed), started, on_epoch)
        _save_weights(network, self.run.folder / "model.safetensors")  # before the score, which may fail
        metrics = _test_metrics(network, task, where, self.run.folder)
        write_json(
            self.run.folder / "result.json",
            {
                **{f"test_{name}": value for name, value in metrics.items()},
                "position": self.scored.position,
                "architecture": self.architecture.as_dict(),
                "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
                "epochs": epochs,
                "seed": seed,
                "seconds": seconds,
                "train_losses": fit.progress.train_losses,
                "hyperparameters": describe(given)["arguments"],
                "device": str(where),
                "torch": torch.__version__,
            },
        )
        for state in _states(self.run.folder).glob("winner-*"):
            state.unlink(missing_ok=True)
        return network.cpu().eval()

    def _state_file(self, task: Task, given: Any, epochs: int, seed: int) -> Path:
        """Where the state of this training is kept while it lasts: another one has another name."""
        about = [self.architecture.as_dict(), _task_summary(task), describe(given), epochs, seed]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]
        return _states(self.run.folder) / f"winner-{digest}.pt"

    def trained(self, task: Task | None = None) -> nn.Module:
        """The network as `train` left it, in evaluation mode.

        Args:
            task: the run's own if None.

        Raises:
            ArchwrightError: the run has no trained model, or that of another architecture.
        """
        from safetensors.torch import load_model

        result = self.run.result
        if result is None:
            raise ArchwrightError(f"{self.run.folder} has no trained model yet: `archwright train {self.run.folder}`")
        if Architecture.from_json(result["architecture"]) != self.architecture:
            raise ArchwrightError(
                f"{self.run.folder} has trained and scored evaluation {result['position']} already; a test split is "
                f"scored once a run, so evaluation {self.scored.position} can't be trained in it"
            )
        network = self.run.space.build(self.architecture, (task or self.run.task).signature)
        load_model(network, str(self.run.folder / "model.safetensors"))
        return network.eval()


def _states(folder: Path) -> Path:
    """Where a run keeps what trainings can go on from."""
    return folder / "checkpoints"


def _finish(fit: Fit, path: Path, started: float, on_epoch: Callable[[int, int, float], None] | None) -> float:
    """Trains to the end, from the state in `path` if there is one; returns the seconds since `started` and before."""
    from archwright.training.keeping import keep_state

    if path.exists():
        started -= _go_on(fit, path)
    kept = time.perf_counter()
    while fit.progress.epoch < fit.epochs:
        loss = fit.run_epoch()
        now = time.perf_counter()
        if now - kept >= KEPT_EVERY or fit.progress.epoch == fit.epochs:
            keep_state(fit, path, seconds=now - started)
            kept = now
        if on_epoch is not None:
            on_epoch(fit.progress.epoch, fit.epochs, loss)
    return time.perf_counter() - started


def _go_on(fit: Fit, path: Path) -> float:
    """Takes up a training that was kept; returns the seconds that it had taken."""
    from archwright.training.keeping import read_state

    state = read_state(path)
    try:
        fit.load_state(state)
    except (RuntimeError, ValueError) as error:  # the user's own code has changed since
        raise ArchwrightError(
            f"the training that {path} has kept is of another network ({in_one_line(error)}): remove the file to train "
            "anew"
        ) from error
    return float(state["seconds"])


def _save_weights(network: nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_model

    try:
        with whole(path) as part:
            save_model(network, str(part))
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"can't write {path} ({error}): free some space, then train again; it goes on where it was kept last"
        ) from error


def _test_metrics(network: nn.Module, task: Task, where: torch.device, folder: Path) -> dict[str, float]:
    from archwright.training.loop import score

    try:
        return score(network, task, task.test, where)
    except Exception as error:  # of metrics, or of data, of the user's own
        raise ArchwrightError(
            f"the winner is trained and its weights are in {folder / 'model.safetensors'}, but the test split can't be "
            f"scored ({in_one_line(error)}): mend that, then train again; no epoch is trained twice"
        ) from error


def _hyperparameters(run: Run, task: Task) -> Any:
    described = innermost(run.manifest["estimator"], "hyperparameters")
    return task.hyperparameters if described is None else registry.rebuild("estimators", described)


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
        **_changing(wanted),
        "task": None if task is None else _task_summary(task),
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
    now = {**known, **_changing(wanted)}
    if now != known:
        write_json(folder / "manifest.json", now)


def _last(times: list[float]) -> float:
    return times[-1] if times else 0.0


def _check_unchanged(run: Run, task: Task) -> None:
    """The splits have to be those of the search: what it trained or selected on must not get into the test split."""
    known = run.manifest["task"]
    if known is not None and known["name"] == task.name and known != _task_summary(task):
        raise StoreError(
            f"the data of {task.name} is not what it was when {run.folder} was searched, so its splits differ and the "
            "test score would not be honest; search anew"
        )


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


def _task_summary(task: Task) -> dict[str, Any]:
    from archwright.tasks.splitting import split_summary

    return {"name": task.name, "input_shape": list(task.signature.input_shape), **split_summary(task)}


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


def _check_same(old: dict[str, Any], new: dict[str, Any], folder: Path) -> None:
    def settled(manifest: dict[str, Any], name: str) -> Any:
        return on_device(manifest.get(name), None) if name == "estimator" else manifest.get(name)

    different = [name for name in SAME if settled(old, name) != settled(new, name)]
    if different:
        name = different[0]
        raise StoreError(
            f"{folder} holds another search: its {name} is {_short(old.get(name))}, not {_short(new[name])}"
            f"{' (and ' + ', '.join(different[1:]) + ' differ)' if different[1:] else ''}; give another folder"
        )


def _short(description: Any) -> str:
    if isinstance(description, dict) and "declaration" in description:
        return f"{description['repr']} (declared as {description['declaration']})"
    if isinstance(description, dict) and "name" in description:
        inner = ", ".join(f"{key}={_short(value)}" for key, value in description["arguments"].items())
        return f"{description['name']}({inner[:200]})"
    return str(description)[:200]
