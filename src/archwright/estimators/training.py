"""Training from scratch: the estimate that every cheaper one is measured by."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, check_list, one_of
from archwright.core.parts import describe
from archwright.core.rng import seed_for
from archwright.core.signature import Signature
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.costing import costs_of
from archwright.estimators.course import Course, Setting
from archwright.objectives.costs import Cost, Flops, Parameters, example, in_evaluation
from archwright.spaces.space import Space
from archwright.tasks.task import Hyperparameters, Split, Task
from archwright.training.keeping import keep_state, read_state
from archwright.training.loop import Fit, pick_device, score
from archwright.training.seeding import seeded


def fewer_epochs(setting: Setting, fidelity: float) -> Setting:
    """Stops earlier on the same learning-rate schedule, so that the training can be continued."""
    return replace(setting, epochs=max(1, round(setting.horizon * fidelity)))


def less_data(setting: Setting, fidelity: float) -> Setting:
    """Trains on a fixed random share of the examples; a larger share holds every smaller one."""
    train = setting.train
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed_for("share", len(train))))
    picked = order[: max(1, round(len(train) * fidelity))].to(train.inputs.device)
    return replace(setting, train=Split(train.inputs[picked], train.targets[picked]))


def lower_resolution(setting: Setting, fidelity: float) -> Setting:
    """Shrinks the images' sides by area averaging, and with them the pixels of crop and cutout, rounded.

    Of the hyper-parameters only these two are lengths; 0 switches them off, and small images have no room for them.

    Raises:
        ArchwrightError: the task's examples are no images.
    """
    shape = setting.signature.input_shape
    if len(shape) != 3:
        raise ArchwrightError(f"the fidelity 'resolution' needs images, but an example has the shape {shape}")
    size = [max(1, round(side * fidelity)) for side in shape[1:]]

    def shrink(split: Split) -> Split:
        small = functional.interpolate(split.inputs.float(), size, mode="area")
        exact = split.inputs.dtype == torch.uint8
        return Split(small.round().to(torch.uint8) if exact else small, split.targets)

    signature = replace(setting.signature, input_shape=(shape[0], *size))
    # Of the sides as they became: a share of 1/27 leaves 1 pixel of 28, of which a cutout of 14 has to leave something.
    scale = min(small / side for small, side in zip(size, shape[1:], strict=True))
    return replace(setting, train=shrink(setting.train), valid=shrink(setting.valid), signature=signature, scale=scale)


def narrower(setting: Setting, fidelity: float) -> Setting:
    """Builds networks with fewer channels."""
    return replace(setting, signature=replace(setting.signature, width=fidelity))


FIDELITIES: Mapping[str, Callable[[Setting, float], Setting]] = {
    "epochs": fewer_epochs,
    "data": less_data,
    "resolution": lower_resolution,
    "width": narrower,
}
"""What a fidelity below 1 can be a share of."""


@dataclass(frozen=True)
class Training:
    """Trains each architecture from scratch and reports how it does on the validation split.

    Metrics: the task's, with `valid_` in front (`valid_accuracy`, `valid_loss`), after the last epoch; `train_loss`;
    `epochs`, those that this evaluation trained; and every cost, of the network at full fidelity. The learning curve
    is the validation score after each epoch.

    Attributes:
        task: data, loss, metrics and hyper-parameters.
        epochs: of a training at fidelity 1.
        along: what a lower fidelity is a share of: any of epochs, data, resolution, width; several shrink together.
        costs: measured beside the training; those that need no device also before it, to exclude architectures.
        hyperparameters: instead of the task's own, for images of full resolution too: crop and cutout shrink with them.
        device: auto, cpu, cuda, cuda:1, ...
        checkpoints: folder for trainings of a fidelity below 1 along "epochs" alone, so that a later trial of higher
            fidelity continues them instead of beginning anew; the one of fidelity 1 removes them, be it ended early.
            `record` sets it. Where it can't be written, as on a full disk, the evaluation counts all the same, and a
            warning says that later trainings begin anew.
    """

    task: Task
    epochs: int = 12
    along: tuple[str, ...] = ("epochs",)
    costs: tuple[Cost, ...] = (Parameters(), Flops())
    hyperparameters: Hyperparameters | None = None
    device: str = "auto"
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ArchwrightError(f"Training needs at least 1 epoch, not {self.epochs}")
        check_list("along", self.along)
        for name in self.along:
            if name not in FIDELITIES:
                raise ArchwrightError(one_of("fidelity", name, FIDELITIES))

    @property
    def metrics(self) -> frozenset[str]:
        """The names of all metrics."""
        costs = (cost.metric for cost in self.costs)
        return frozenset({f"valid_{name}" for name in self.task.metric_names} | {"train_loss", "epochs", *costs})

    def stored(self, folder: str) -> Training:
        """The same estimator with its checkpoints under `folder`."""
        return self if self.checkpoints else replace(self, checkpoints=str(Path(folder) / "checkpoints"))

    def preflight(self, space: Space, trial: Trial) -> dict[str, float]:
        """The costs that need no device."""
        return costs_of(space, trial.architecture, self.task.signature, self.costs)

    def estimate(self, space: Space, trial: Trial) -> Evaluation:
        """Trains and validates.

        Raises:
            ArchwrightError: the network does not fit the task, or its loss is no number any more.
        """
        return self.train(space, trial)

    def train(self, space: Space, trial: Trial, course: Course = Course(), briefing: Any = None) -> Evaluation:
        """As `estimate`, with others taking part in the training."""
        started = time.perf_counter()
        device = pick_device(self.device)
        costs = self.preflight(space, trial)
        setting = self.setting(trial.fidelity, device)
        if setting.signature.width < 1:
            _check_narrower(space, trial.architecture, self.task.signature)
        with seeded(trial.seed, "weights", device=device):
            network = space.build(trial.architecture, setting.signature).to(device)
            check_fits(network, setting.signature, device)
            costs |= {
                cost.metric: cost.measure(space.build(trial.architecture, self.task.signature), self.task.signature)
                for cost in self.costs
                if cost.needs_device
            }
        given = setting.scaled(self.hyperparameters or self.task.hyperparameters)
        fit = Fit(network, self.task, setting.train, given, setting.horizon, trial.seed, device)
        checkpoint = self._checkpoint(space, trial)
        if checkpoint is not None and checkpoint.exists():
            _continue(fit, checkpoint, setting.epochs)
        known = fit.progress.epoch
        if not known:
            for act in course.begin:
                act(network)
        metrics: dict[str, float] = {}
        past = (fit.progress.curve[:seen] for seen in range(1, known + 1))
        ended = any(watch(curve, setting.epochs) for curve in past for watch in course.watch)
        while fit.progress.epoch < setting.epochs and not ended:
            fit.run_epoch()
            metrics = score(network, self.task, setting.valid, device, given.precision)
            fit.progress.curve.append(metrics[self.task.score])
            ended = any(watch(fit.progress.curve, setting.epochs) for watch in course.watch)
        metrics = metrics or score(network, self.task, setting.valid, device, given.precision)
        for act in course.finish:
            act(network)
        if checkpoint is not None:
            _keep(fit, checkpoint, finished=trial.fidelity == 1.0)
        return Evaluation(
            trial,
            {
                **{f"valid_{name}": value for name, value in metrics.items()},
                "train_loss": fit.progress.train_losses[-1],
                "epochs": float(fit.progress.epoch - known),
                **costs,
            },
            tuple(fit.progress.curve),
            time.perf_counter() - started,
        )

    def setting(self, fidelity: float, device: torch.device) -> Setting:
        """What a trial of that fidelity trains on."""
        train, valid = self.task.on(device)
        setting = Setting(train, valid, self.task.signature, self.epochs, self.epochs)
        if fidelity < 1:
            for name in self.along:
                setting = FIDELITIES[name](setting, fidelity)
        return setting

    def _checkpoint(self, space: Space, trial: Trial) -> Path | None:
        """Where the training of this architecture and seed under these settings is kept; None if it can't go on."""
        if self.checkpoints is None or tuple(self.along) != ("epochs",):  # a list will do as well
            return None
        settings = json.dumps(
            [describe(replace(self, checkpoints=None, device="auto")), describe(space)], sort_keys=True
        )
        digest = hashlib.sha256(f"{trial.architecture.to_json()}{trial.seed}{settings}".encode()).hexdigest()[:24]
        return Path(self.checkpoints) / f"{digest}.pt"


def check_fits(network: nn.Module, signature: Signature, device: torch.device) -> None:
    """Whether the network maps a batch of the task's shape to the task's outputs.

    Raises:
        ArchwrightError: it does not, with both shapes.
    """
    with in_evaluation(network), torch.no_grad():
        made = network(example(network, signature, 2).to(device))
    wanted = (2, *signature.output_shape)
    if not isinstance(made, torch.Tensor) or tuple(made.shape) != wanted:
        shape = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
        raise ArchwrightError(f"for a batch of 2 the network returns {shape}, but the task needs {wanted}")


def _check_narrower(space: Space, architecture: Architecture, signature: Signature) -> None:
    full, half = (
        costs_of(space, architecture, replace(signature, width=width), [Parameters()]) for width in (1.0, 0.5)
    )
    if half["parameters"] >= full["parameters"]:
        raise ArchwrightError(
            "the fidelity 'width' changes nothing: the network's channel counts do not go through "
            "signature.channels(...)"
        )


def _continue(fit: Fit, path: Path, epochs: int) -> None:
    """Goes on from a checkpoint, unless that went further than `epochs`: then it is of no use here."""
    state = read_state(path)
    if state["progress"]["epoch"] <= epochs:
        fit.load_state(state)


def _keep(fit: Fit, path: Path, finished: bool) -> None:
    """Keeps a training that can be continued, if there is room; forgets one that is `finished`, however it ended."""
    if finished:
        path.unlink(missing_ok=True)
        return
    if path.exists() and read_state(path)["progress"]["epoch"] > fit.progress.epoch:
        return
    keep_state(fit, path)
