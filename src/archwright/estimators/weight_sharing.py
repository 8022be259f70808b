"""Weight sharing: one open network is trained, and every architecture is judged with its part of the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError, in_one_line
from archwright.core.protocols import GradientStrategy
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.shared_fit import SharedFit
from archwright.estimators.trained_once import TrainedOnce
from archwright.estimators.training import check_fits
from archwright.spaces.space import Space
from archwright.supernets.open_network import OpenNetwork
from archwright.supernets.relaxation import Relaxation, Sampler
from archwright.supernets.sampling import Sampling, Uniform
from archwright.training.loop import pick_device
from archwright.training.memory import out_of_memory
from archwright.training.seeding import seeded


@dataclass(frozen=True)
class WeightSharing(TrainedOnce):
    """Judges architectures with the weights of one open network that all share (survey, section 4: one-shot).

    With a strategy that proposes architectures, the open network is trained first, by `sampling`, when the first trial
    is asked; its time is part of that trial's cost. Then each trial costs a pass over the validation split, with
    batch-norm calibrated for its architecture. All trials of one seed share one open network, and most strategies ask
    with seed 0, whatever the search's own seed.

    With a strategy that relaxes the space (DARTS and its kin) network and relaxation are trained together, and each
    epoch is an evaluation of the architecture that it stands for then, at the fidelity epoch / epochs.

    Metrics: the task's with `valid_` in front; `train_loss`; `epochs`; the costs of the standalone network. After an
    epoch of a relaxation the score is that of the mixture, or of whatever the method says it should be.

    Attributes:
        task: data, loss, metrics. The relaxation learns from the validation split, which also scores.
        epochs: of training the open network.
        sampling: what is trained in each step, when the strategy does not say: `Uniform()` is one random path.
        affine: whether candidates' batch-norms learn scale and shift; DARTS and its kin search without.
        calibration: batches that batch-norm is calibrated with, for one architecture.
        costs: measured on the standalone network; those that need no device.
        shared: how the shared weights are trained; a winner trains by the task's own hyper-parameters.
        device: auto, cpu, cuda, ...
        checkpoints: folder for the state after each epoch. `record` sets it.
    """

    sampling: Sampling = Uniform()
    affine: bool = False

    def relaxed(self, space: Space, strategy: GradientStrategy, known: int, seed: int) -> Iterator[Evaluation]:
        """Trains the open network and the strategy's relaxation together: an evaluation an epoch.

        Args:
            known: epochs that were evaluated before; the training goes on after them.

        Raises:
            ArchwrightError: there are such epochs, but their state was not kept; or memory ran out.
        """
        started = time.perf_counter()
        fit = self._fit(space, seed, strategy.relax)
        relaxation = fit.sampler
        assert isinstance(relaxation, Relaxation)
        keeper = self._keeper(space, seed, strategy)
        if known and (keeper is None or not keeper.restore(fit, known)):
            raise ArchwrightError(f"the state after epoch {known} was not kept, so the search can't go on from there")
        while fit.progress.epoch < self.epochs and not fit.ended:
            epoch = fit.progress.epoch + 1
            try:
                fit.run_epoch()
                with seeded(seed, "judged", fit.progress.epoch, device=fit.device):
                    relaxation.settle()
                    metrics = fit.score()
                    architecture = self._judged(fit, relaxation, metrics[self.task.score])
                trial = Trial(architecture, 1.0 if fit.ended else fit.progress.epoch / self.epochs, seed)
                costs = self.preflight(space, trial)
            except Exception as error:  # it diverged, a module of the user's own failed
                if out_of_memory(error):  # it may pass, as a failure that is stored would not
                    raise ArchwrightError(
                        f"memory ran out in epoch {epoch} ({in_one_line(error)}); a recorded search can be run again "
                        "when more is free: it goes on with this epoch"
                    ) from error
                trial = Trial(relaxation.architecture(), 1.0, seed)
                yield Evaluation(trial, cost=time.perf_counter() - started, failure=in_one_line(error))
                return
            if keeper is not None and not keeper.keep(fit):  # the next epochs can't do without
                raise ArchwrightError(
                    f"can't keep the state after epoch {epoch} in {keeper.folder}: free some space, then run the "
                    "search again; it goes on with this epoch"
                )
            yield self._evaluation(fit, trial, metrics, 1, costs, started)
            started = time.perf_counter()

    def _judged(self, fit: SharedFit, relaxation: Relaxation, score: float) -> Architecture:
        """The architecture that an epoch ends with; whether it was the last one is kept in `fit.ended`."""
        fit.progress.curve.append(score)
        judge = fit.judge()
        stopped = relaxation.finished(judge)
        fit.ended = stopped is not None or fit.progress.epoch == self.epochs
        if stopped is not None:
            return stopped
        return relaxation.select(judge) if fit.ended else relaxation.architecture()

    def _fit(self, space: Space, seed: int, sampler: Callable[[OpenNetwork], Sampler] | None = None) -> SharedFit:
        device = pick_device(self.device)
        with seeded(seed, "weights", device=device):
            opened = OpenNetwork(space, self.task.signature, self.affine).to(device)
            made = (sampler or self.sampling.over)(opened).to(device)
            network = made.network.to(device)  # some open it anew, in a way of their own
            made.begin(0, self.epochs)
            next(made.draws())  # as it will be trained: what is open by its width or depth computes nothing undecided
            check_fits(network, self.task.signature, device)
            if isinstance(made, Relaxation):
                made.apply_weights()  # and as it will be relaxed: a depth can be no mixture, and says so now
                check_fits(network, self.task.signature, device)
        given = self.shared
        return SharedFit(network, made, self.task, given, self.epochs, seed, device, self.calibration)
