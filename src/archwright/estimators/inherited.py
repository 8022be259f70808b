"""Weight inheritance: a child goes on from its parent's weights (Real et al., 2017; Elsken et al., 2017 and 2019)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from archwright.core.asking import briefing_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.course import Course
from archwright.estimators.wrapped import TakesPart
from archwright.spaces.space import Space
from archwright.training.distilling import Distilling
from archwright.training.inheritance import Inheritance, inherit
from archwright.training.seeding import seeded

COMPARED = 32
"""Validation examples on which a child is compared with its parent."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Inherited(TakesPart):
    """A training that begins with the weights of the trial's parent, where it has one.

    Where the change is a network morphism that the space knows (`archwright.spaces.morphing`), the child begins as the
    function that its parent is. After any other change in any space it takes what still fits, by name and overlap
    (`archwright.training.inheritance`). A trial without a parent trains from scratch; so does one whose parent's
    weights are gone. A training that continues from a checkpoint of its own goes on with that.

    Metrics beside those of the training inside: `inherited`, the share of the child's parameters and batch-norm
    statistics that inheritance has set; and `exact`, 1 if on some validation examples the child computed what its
    parent does, before its first epoch.

    Evaluations depend on more than their architecture here. So a known architecture is still answered from the history;
    give a trial another seed to train it on.

    Attributes:
        of: the training, such as `Training(task, epochs=3)`. For each child the schedule of its learning rate begins
            anew, as in NASH.
        distillation: epochs that a child which is not exact first learns to answer as its parent does, on the trial's
            training split by the task's own hyper-parameters. They count as epochs. LEMONADE distils; 0 is without.
        checkpoints: folder for the trained weights, one file for each architecture, fidelity and seed; none is
            removed. `record` sets it. Without one they stay in memory, where only trials of the same process find
            them: with several worker processes, record the search.
    """

    distillation: int = 0
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distillation < 0:
            raise ArchwrightError(f"distillation takes 0 epochs or more, not {self.distillation}")

    @property
    def metrics(self) -> frozenset[str]:
        """Those of the training inside, `inherited` and `exact`."""
        return super().metrics | {"inherited", "exact"}

    def stored(self, folder: str) -> Self:
        """The same estimators, keeping their files under `folder`."""
        made = super().stored(folder)
        return made if self.checkpoints else replace(made, checkpoints=str(Path(folder) / "checkpoints"))

    def briefing(self, space: Space, history: History, trial: Trial) -> Any:
        """The trial whose weights to take, if any, and what the training inside wants to know. Never None: even the
        answer to a trial without a parent belongs to this search, whose children want its weights."""
        return ancestor(history, trial), briefing_of(self.of, space, history, trial)

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """Hands the weights down, trains, and keeps what was trained."""
        parent, inside = briefing or (None, None)
        found = Inheritance(1.0, True)  # of itself, if it continues from a checkpoint and nothing begins
        distilled = 0

        def begin(network: nn.Module) -> None:
            nonlocal found, distilled
            elder = None if parent is None else self._elder(space, parent, network)
            found = Inheritance()
            if elder is not None:
                split = self.of.setting(trial.fidelity, _device(network)).valid
                found = inherit(network, elder, self.task.prepare(split.inputs[:COMPARED]), trial.seed)
                if not found.exact and self.distillation:
                    distilled = self._distil(trial, network, elder)

        def finish(network: nn.Module) -> None:
            self._keep(space, trial, network)

        answer = self.of.train(space, trial, course.and_begin(begin).and_finish(finish), inside)
        metrics = {**answer.metrics, "inherited": found.share, "exact": float(found.exact)}
        if distilled:
            metrics["epochs"] = metrics.get("epochs", 0.0) + distilled
        return replace(answer, metrics=metrics)

    def _elder(self, space: Space, parent: Trial, child: nn.Module) -> nn.Module | None:
        """The parent's trained network, on the child's device; None if its weights are not to be found."""
        weights = self._kept(space, parent)
        if weights is None:
            return None
        device = _device(child)
        with seeded("parent", device=device):  # a constructor draws initial weights
            network = space.build(parent.architecture, self.of.setting(parent.fidelity, device).signature)
        network.load_state_dict(weights)
        return network.to(device)

    def _distil(self, trial: Trial, network: nn.Module, parent: nn.Module) -> int:
        """The epochs of distillation, all of them."""
        device, given = _device(network), replace(self.task.hyperparameters, label_smoothing=0.0)
        train = self.of.setting(trial.fidelity, device).train
        fit = Distilling(parent, network, self.task, train, given, self.distillation, trial.seed, device)
        for _ in range(self.distillation):
            fit.run_epoch()
        return self.distillation

    def _kept(self, space: Space, trial: Trial) -> Weights | None:
        name = self._name(space, trial)
        if self.checkpoints is None:
            return self._memory.get(name)
        from safetensors.torch import load_file

        path = Path(self.checkpoints) / name
        return load_file(path) if path.exists() else None

    def _keep(self, space: Space, trial: Trial, network: nn.Module) -> None:
        name = self._name(space, trial)
        weights = {key: value.detach().cpu().contiguous().clone() for key, value in network.state_dict().items()}
        if self.checkpoints is None:
            self._memory[name] = weights
            return
        from safetensors.torch import save_file

        path = Path(self.checkpoints) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        save_file(weights, part)
        os.replace(part, path)

    def _name(self, space: Space, trial: Trial) -> str:
        """The file of an evaluation: equal for the same question about the same space and task."""
        asked = [trial.architecture.as_dict(), trial.fidelity, trial.seed, describe(space), describe(self.task)]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24] + ".safetensors"

    @cached_property
    def _memory(self) -> dict[str, Weights]:
        return {}

    def __getstate__(self) -> dict[str, Any]:  # what this process trained stays here
        return {name: value for name, value in self.__dict__.items() if name != "_memory"}


def ancestor(history: History, trial: Trial) -> Trial | None:
    """The trial whose evaluation trained the weights that a trial inherits; None if it has no parent.

    That of its parent; of a repeated answer, the trial that it repeats. Where that failed, or was rejected, there are
    no weights, and its own parent's are the next best.
    """
    position = trial.parent
    while position is not None:
        evaluation = history[position]
        if evaluation.reused is not None:
            position = evaluation.reused
        elif evaluation.failure is not None:
            position = evaluation.trial.parent
        else:
            return evaluation.trial
    return None


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
