"""Optuna's samplers as strategies (Akiba, Sano, Yanase, Ohta and Koyama, 2019)."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Integer, Open
from archwright.core.errors import ArchwrightError, one_of
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.operators import mutate, opened, trace
from archwright.strategies.candidates import new
from archwright.strategies.learner import Learner
from archwright.strategies.scalar import lesson

if TYPE_CHECKING:
    from numpy.random import Generator

READERS = ("BruteForceSampler", "GPSampler", "RandomSampler", "TPESampler")
"""Samplers that learn from nothing but what was asked and answered. All others also note things in the study while they
sample, such as which generation a trial belongs to."""

TRIES = 20
"""Mutations in a row of what is not to be asked."""


@dataclass
class OptunaSampler(Learner["_Told"]):
    """Any sampler of Optuna on any space: each decision is a parameter, conditional ones by define-by-run.

    The history is told as an Optuna study in memory, each proposal asked of a copy of it. An option is a category, and
    its index the value; numbers have their range and `log`. Several objectives and constraints are passed on as they
    are; what constraints rejected is a pruned trial, from whose violation TPE learns. A sampler that notes things while
    it samples (NSGA-II, CMA-ES, quasi-Monte Carlo) sees each evaluation as an enqueued trial of its own. Optuna's
    samplers know neither canonical keys nor what a space excludes, and would ask for the best known architecture again
    and again: what is known, pending or excluded is mutated until it is not. Needs the extra `optuna`.

    Attributes:
        sampler: a sampler's name in `optuna.samplers`, or a function that makes one from a seed: so
            `lambda seed: optuna.samplers.TPESampler(multivariate=True, seed=seed)`.
    """

    sampler: str | Callable[[int], Any] = "TPESampler"

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """What the sampler asks for.

        Raises:
            ArchwrightError: Optuna is missing, has no such sampler, or it can't be made from a seed alone.
        """
        with _quiet():
            study = pickle.loads(pickle.dumps(self.learned(space, history).study(history)))
            study.add_trials([_told(space, trial, history) for trial in history.pending.values()])
            study.sampler = self._made(int(rng.integers(2**32)))
            asked = _walked(space, study.ask())
        return Trial(next(new(space, history, _allowed(space, asked, rng)), asked))

    def begin(self, space: SearchSpace) -> _Told:
        """Nothing told."""
        return _Told()

    def learn(self, state: _Told, space: SearchSpace, history: History, position: int) -> None:
        """Tells the study of one evaluation; a repetition is no news."""
        if history[position].reused is not None:
            return
        with _quiet():
            study, told = state.study(history), _told(space, history[position].trial, history, position)
            sampler = self._made(seed_for("optuna", position) % 2**32)
            if type(sampler).__name__ in READERS:
                study.add_trial(told)
                return
            study.sampler = sampler
            study.enqueue_trial(told.params)
            trial = study.ask()
            _ = trial.relative_params  # samples, as it would for a trial that was not enqueued, and so takes its notes
            _walked(space, trial)
            for name, excess in told.constraints.items():
                trial.set_constraint(name, excess)
            study.tell(trial, told.values, told.state)

    def _made(self, seed: int) -> Any:
        samplers = _optuna().samplers
        if not isinstance(self.sampler, str):
            return self.sampler(seed)
        if self.sampler not in samplers.__all__:
            raise ArchwrightError(
                one_of("sampler of Optuna", self.sampler, [n for n in samplers.__all__ if n[0].isupper()])
            )
        try:
            return getattr(samplers, self.sampler)(seed=seed)
        except (TypeError, ImportError) as error:
            raise ArchwrightError(
                f"Optuna's {self.sampler} can't be made from a seed alone ({error}); "
                "in Python, OptunaSampler takes a function from a seed to a sampler"
            ) from error


class _Told:
    """A study in memory, begun when the history says of how many objectives."""

    def __init__(self) -> None:
        self._study: Any = None

    def study(self, history: History) -> Any:
        if self._study is None:
            sampler = _optuna().samplers.RandomSampler(seed=0)  # a placeholder
            self._study = _optuna().create_study(
                directions=["minimize"] * len(history.goal.objectives), sampler=sampler
            )
        return self._study


def _allowed(space: SearchSpace, architecture: Architecture, rng: Generator) -> Iterator[Architecture]:
    """The architecture and, one after the other, mutants further and further away; what the space excludes left out."""
    for _ in range(TRIES):
        if space.excluded(architecture) is None:
            yield architecture
        architecture = mutate(space, architecture, rng)


def _told(space: SearchSpace, trial: Trial, history: History, position: int | None = None) -> Any:
    """A trial as Optuna's: pending, or with the answer at `position` of the history."""
    states = _optuna().trial.TrialState
    scored = None if position is None else lesson(history, position)
    answer: dict[str, Any] = {"state": states.RUNNING if position is None else states.FAIL}
    if scored is not None:
        metrics = scored.evaluation.metrics
        bounds = [bound for bound in history.goal.constraints if bound.metric in metrics]
        answer = {"constraints": {str(bound): bound.excess(metrics[bound.metric]) for bound in bounds}}
        answer |= {"values": scored.losses} if scored.losses else {"state": states.PRUNED}
    distributions = {name: _distribution(choice) for name, choice in opened(space, trial.architecture)}
    return _optuna().trial.create_trial(params=trial.architecture.as_dict(), distributions=distributions, **answer)


def _distribution(choice: Open) -> Any:
    distributions = _optuna().distributions
    if isinstance(choice, Choice):
        return distributions.CategoricalDistribution(range(len(choice.options)))
    kind = distributions.IntDistribution if isinstance(choice, Integer) else distributions.FloatDistribution
    return kind(choice.low, choice.high, log=choice.log)


def _walked(space: SearchSpace, trial: Any) -> Architecture:
    """The architecture whose every decision an Optuna trial suggests."""

    def decide(name: str, choice: Open) -> Value:
        if isinstance(choice, Choice):
            return int(trial.suggest_categorical(name, range(len(choice.options))))
        if isinstance(choice, Integer):
            return int(trial.suggest_int(name, choice.low, choice.high, log=choice.log))
        return float(trial.suggest_float(name, choice.low, choice.high, log=choice.log))

    return trace(space, decide)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ArchwrightError("OptunaSampler needs Optuna: pip install 'archwright[optuna]'") from None
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's notes that a study began, and its warnings that a sampler is experimental."""
    optuna = _optuna()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
