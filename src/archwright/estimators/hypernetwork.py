"""Hypernetworks: one network is trained to write the weights of all others, which judge architectures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archwright.core.architecture import Architecture
from archwright.estimators.shared_fit import ArchitecturesFit
from archwright.estimators.trained_once import TrainedOnce
from archwright.estimators.training import check_fits
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.supernets.hypernetworks import GraphHypernetwork, Writer, Writing
from archwright.supernets.sampling.sampling import generator
from archwright.tasks.task import Hyperparameters, Task
from archwright.training.loop import pick_device
from archwright.training.seeding import seeded

ADAM = Hyperparameters(
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.0,
    batch_size=64,
    label_smoothing=0.0,
    warmup=0.0,
    precision="float32",
)
"""Adam at 1e-3 without weight decay: what both papers train their hypernetworks with. Half a cosine to 0 is SMASH's."""

GRAPH = GraphHypernetwork()


@dataclass(frozen=True)
class Hypernetwork(TrainedOnce):
    """Judges architectures with weights that a hypernetwork writes (SMASH, graph hypernetworks; survey, section 4).

    The hypernetwork is trained first, when the first trial is asked: in each step it writes the weights of a uniformly
    random architecture, and learns from their loss on a batch. Its time is part of that trial's cost. Then each trial
    costs a pass over the validation split, with batch-norm calibrated for its architecture. Any strategy that proposes
    can ask: the graph hypernetwork's paper scores 1,000 random architectures, SMASH 500 and then 100 perturbations.

    Metrics: the task's with `valid_` in front; `train_loss`; `epochs`; the costs of the standalone network.

    Attributes:
        task: data, loss, metrics.
        epochs: of training the hypernetwork; 200 in the graph hypernetwork's paper, 100 in SMASH's.
        weights: which hypernetwork: `GraphHypernetwork()` or `Smash()`.
        calibration: batches that batch-norm is calibrated with, for one architecture.
        costs: measured on the standalone network; those that need no device.
        shared: how the hypernetwork is trained; a winner trains by the task's own hyper-parameters.
        device: auto, cpu, cuda, ...
        checkpoints: folder for the state after each epoch. `record` sets it.
    """

    epochs: int = 200
    weights: Writing = GRAPH
    shared: Hyperparameters = ADAM

    def _fit(self, space: Space, seed: int) -> HypernetworkFit:
        device = pick_device(self.device)
        with seeded(seed, "weights", device=device):
            writer = self.weights.over(space, self.task.signature).to(device)
            writer.decide(sample(space, generator()))
            check_fits(writer, self.task.signature, device)
        given = self.shared
        return HypernetworkFit(writer, self.task, given, self.epochs, seed, device, self.calibration)


class HypernetworkFit(ArchitecturesFit):
    """Training of a hypernetwork: each step one uniformly random architecture."""

    def __init__(
        self,
        writer: Writer,
        task: Task,
        hyperparameters: Hyperparameters,
        epochs: int,
        seed: int,
        device: torch.device,
        calibration: int,
    ) -> None:
        super().__init__(writer, task, hyperparameters, epochs, seed, device, calibration)
        self.writer = writer

    def learn(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """One step on one batch and one architecture; returns its loss, detached."""
        self.writer.decide(sample(self.writer.space, generator()))
        return super().learn(inputs, targets)

    def score_of(self, architecture: Architecture) -> dict[str, float]:
        """The metrics of an architecture with the weights written for it."""
        return self.calibrated_score(self.writer.standalone(architecture))
