"""An evaluation of a run that is kept: trained to the end, from where it was interrupted, and scored once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright import registry
from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, in_one_line
from archwright.core.history import Scored
from archwright.core.parts import describe, innermost
from archwright.core.trial import Evaluation
from archwright.runtime.files import whole
from archwright.runtime.store import StoreError, alone, write_json

if TYPE_CHECKING:
    import torch
    from torch import nn

    from archwright.run import Run
    from archwright.tasks import Task
    from archwright.training.loop import Fit

KEPT_EVERY = 30.0
"""Seconds between two states of a winner's training that are kept: to write one may take longer than an epoch."""


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
            StoreError: another process writes to the run; or the trained weights can't be written; or the task's data
                is not what it was.
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

        from archwright.tasks.splitting import task_summary
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
                "task": task_summary(task),
                "device": str(where),
                "torch": torch.__version__,
            },
        )
        for state in _states(self.run.folder).glob("winner-*"):
            state.unlink(missing_ok=True)
        return network.cpu().eval()

    def _state_file(self, task: Task, given: Any, epochs: int, seed: int) -> Path:
        """Where the state of this training is kept while it lasts: another one has another name."""
        from archwright.tasks.splitting import task_summary

        about = [self.architecture.as_dict(), task_summary(task), describe(given), epochs, seed]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]
        return _states(self.run.folder) / f"winner-{digest}.pt"

    def trained(self, task: Task | None = None) -> nn.Module:
        """The network as `train` left it, in evaluation mode.

        Args:
            task: the run's own if None; with the data that the network was trained on.

        Raises:
            ArchwrightError: the run has no trained model, or that of another architecture.
            StoreError: the task's data is not what the network was trained on.
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
        task = task or self.run.task
        _check_unchanged(self.run, task)
        network = self.run.space.build(self.architecture, task.signature)
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


def _check_unchanged(run: Run, task: Task) -> None:
    """The data has to be what the run knew it as last: in its search, and once there is a result in the training.

    What the search trained or selected on must not get into the test split; and what a trained network reads and
    answers is on the scale, and by the class names, of the data that it learnt.
    """
    from archwright.tasks.splitting import task_summary

    searched, result = run.manifest["task"], run.result
    if searched is not None and searched["name"] != task.name:
        searched = None  # it is trained on another task than it was searched on
    known = (result or {}).get("task", searched)  # older results say nothing of their data
    if known is None or json.dumps({**known, "name": task.name}) == json.dumps(task_summary(task)):
        return  # as text, since the order of the classes counts
    if result is None:
        raise StoreError(
            f"the data of {task.name} is not what it was when {run.folder} was searched, so its splits differ and the "
            "test score would not be honest; search anew, or, if the task was made with fields of its own, such as "
            "--task.seed 3, give a name in your file that holds them"
        )
    exported = run.folder / "export"
    hint = f" ({exported} has what was written then)" if exported.is_dir() else ""
    raise StoreError(
        f"the data of {task.name} is not what evaluation {result['position']} was trained on, so its scale and class "
        f"names would be others: put the old data back, or search anew{hint}"
    )
