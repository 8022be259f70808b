"""Weight inheritance: a child goes on from its parent's weights (Real et al., 2017; Elsken et al., 2017 and 2019)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from archwright.core.asking import briefing_of
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe, on_device, with_arguments_named
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.course import Course, Setting
from archwright.estimators.wrapped import TakesPart
from archwright.runtime.files import write_if_possible
from archwright.spaces.space import Space
from archwright.training.distilling import Distilling
from archwright.training.inheritance import Inheritance, inherit
from archwright.training.seeding import seeded

COMPARED = 32
"""Validation examples on which a child is compared with its parent."""

ITSELF = Inheritance(1.0, True)
"""What a training has that continues from a checkpoint of another fidelity."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Inherited(TakesPart):
    """A training that begins with the weights of the trial's parent, where it has one.

    Where the change is a network morphism that the space knows (`archwright.spaces.morphing`), the child begins as the
    function that its parent is. After any other change in any space it takes what still fits, by name and overlap
    (`archwright.training.inheritance`). A trial without a parent trains from scratch; so does one whose parent's
    weights are gone. A training that continues from a checkpoint of its own goes on with that; asked again after an
    interruption, it says of its inheritance what it said first.

    Metrics beside those of the training inside: `inherited`, the share of the child's parameters and batch-norm
    statistics that inheritance has set; and `exact`, 1 if on some validation examples the child computed what its
    parent does, before its first epoch. It is 0 where the parent read images of another resolution: the two can't be
    compared.

    Evaluations depend on more than their architecture here. So a known architecture is still answered from the history;
    give a trial another seed to train it on.

    Attributes:
        of: the training, such as `Training(task, epochs=3)`. For each child the schedule of its learning rate begins
            anew, as in NASH.
        distillation: epochs that a child which is not exact first learns to answer as its parent does, on the trial's
            training split by the task's own hyper-parameters, whatever the task's loss (see `Distilling`). They count
            as epochs. LEMONADE distils; 0 is without. A parent that read images of another resolution can't teach.
        checkpoints: folder for the trained weights and what was inherited, one file for each architecture, fidelity,
            seed and training; none is removed. `record` sets it. Without one they stay in memory, where only trials of
            the same process find them: with several worker processes, record the search. Where it can't be written, as
            on a full disk, the evaluation counts all the same, and a warning says that children train from scratch.
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
        _, found = self._kept(space, trial) or ({}, ITSELF)  # for a training that continues: nothing begins there

        def begin(network: nn.Module) -> None:
            nonlocal found
            found = Inheritance() if parent is None else self._hand_down(space, parent, trial, network)

        def finish(network: nn.Module) -> None:
            self._keep(space, trial, network, found)

        answer = self.of.train(space, trial, course.and_begin(begin).and_finish(finish), inside)
        metrics = {**answer.metrics, "inherited": found.share, "exact": float(found.exact)}
        if found.distilled:
            metrics["epochs"] = metrics.get("epochs", 0.0) + found.distilled
        return replace(answer, metrics=metrics)

    def _hand_down(self, space: Space, parent: Trial, trial: Trial, child: nn.Module) -> Inheritance:
        """Gives a child what its parent has learnt, if the parent's weights are to be found."""
        kept = self._kept(space, parent)
        if kept is None:
            return Inheritance()
        device = _device(child)
        theirs, ours = (self.of.setting(one.fidelity, device) for one in (parent, trial))
        with seeded("parent", device=device):  # a constructor draws initial weights
            elder = space.build(parent.architecture, theirs.signature)
        elder.load_state_dict(kept[0])
        elder.to(device)
        if theirs.signature.input_shape != ours.signature.input_shape:
            return inherit(child, elder, None, trial.seed)
        found = inherit(child, elder, self.task.prepare(ours.valid.inputs[:COMPARED]), trial.seed)
        if found.exact or not self.distillation:
            return found
        self._distil(trial, child, elder, ours)
        return replace(found, distilled=self.distillation)

    def _distil(self, trial: Trial, network: nn.Module, parent: nn.Module, setting: Setting) -> None:
        given, device = setting.scaled(self.task.hyperparameters), _device(network)
        fit = Distilling(parent, network, self.task, setting.train, given, self.distillation, trial.seed, device)
        for _ in range(self.distillation):
            fit.run_epoch()

    def _kept(self, space: Space, trial: Trial) -> tuple[Weights, Inheritance] | None:
        """What a trial has learnt and inherited; None if it was never answered here."""
        name = self._name(space, trial)
        if self.checkpoints is None:
            return self._memory.get(name)
        from safetensors import safe_open

        path = Path(self.checkpoints) / name
        if not path.exists():
            return None
        with safe_open(path, "pt") as file:
            found = Inheritance(**json.loads(file.metadata()["inheritance"]))
            return {key: file.get_tensor(key) for key in file.keys()}, found  # noqa: SIM118 - it is no mapping

    def _keep(self, space: Space, trial: Trial, network: nn.Module, found: Inheritance) -> None:
        name = self._name(space, trial)
        weights = {key: value.detach().cpu().contiguous().clone() for key, value in network.state_dict().items()}
        if self.checkpoints is None:
            self._memory[name] = (weights, found)
            return
        from safetensors.torch import save

        content = save(weights, {"inheritance": json.dumps(asdict(found))})
        write_if_possible(Path(self.checkpoints) / name, content, "children of these weights train from scratch")

    def _name(self, space: Space, trial: Trial) -> str:
        """The file of an evaluation: equal for the same question to the same estimator about the same space.

        Where an estimator computes and keeps its files is no part of what it is.
        """
        training = with_arguments_named(on_device(describe(self), "auto"), "checkpoints", None)
        about = [describe(space), describe(self.task), training]  # a training of the user's own may not tell its task
        asked = [trial.architecture.as_dict(), trial.fidelity, trial.seed, *about]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24] + ".safetensors"

    @cached_property
    def _memory(self) -> dict[str, tuple[Weights, Inheritance]]:
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
