"""The arrows between the three boxes. A search is an iterator of evaluations: to stop is to cease iterating."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf, isfinite
from typing import Any, Protocol

from archwright.core.asking import answer_of, briefing_of, metrics_of, or_failure
from archwright.core.errors import ArchwrightError, encodable, in_one_line, one_of
from archwright.core.history import History
from archwright.core.objective import BadObjective, Goal
from archwright.core.parts import plain
from archwright.core.protocols import (
    Estimator,
    GradientStrategy,
    Preflight,
    Relaxes,
    SearchSpace,
    Strategy,
)
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.runtime.inline import Inline
from archwright.spaces.operators import key_of

STALE = 1000
"""A search ends when so many answers in a row were repetitions or rejections: it has stopped learning anything."""


class Journal(Protocol):
    """Who writes a search down: told before a trial starts and after it ends."""

    def asked(self, number: int, trial: Trial, answered: int) -> None:
        """Trial `number` is about to start, proposed when `answered` evaluations were known."""
        ...

    def answered(self, number: int, evaluation: Evaluation, elapsed: float) -> None:
        """Trial `number` has ended, `elapsed` seconds into the search."""
        ...


class Search(Iterator[Evaluation]):
    """What `search` returns: iterate to run it. `budget`, `record` and `progress` wrap it.

    Who stops before its end calls `close`, or iterates inside `with`, so that workers and the run's folder are let go.

    Attributes:
        history: all evaluations so far, and what is pending.
        budget: when to stop; unlimited unless `budget(...)` sets it.
        journal: who writes it down; nobody unless `record(...)` sets it.
        elapsed: seconds that the search has run, those before a resume included; when it has ended, those until then.
        given: of the history, how many evaluations at its beginning are those that the search started from.
        opening: called when it begins, before its first trial.
        closing: called when it ends, for whatever reason.
        ended: why it ended, in words; None while it runs.
    """

    def __init__(
        self,
        space: Any,
        strategy: Strategy | GradientStrategy,
        estimator: Estimator,
        history: History,
        executor: Executor,
        seed: int,
    ):
        self.space, self.strategy, self.estimator = space, strategy, estimator
        self.history, self.executor, self.seed = history, executor, seed
        self.budget = Budget()
        self.journal: Journal | None = None
        self.clock: Callable[[], float] = getattr(executor, "clock", time.monotonic)  # simulated workers bring theirs
        self.elapsed_before = 0.0
        self.given = len(history)
        self.opening: list[Callable[[], None]] = []
        self.closing: list[Callable[[], None]] = []
        self.ended: str | None = None
        self._started: float | None = None
        self._idle = 0  # proposals in a row that led to nothing new
        self._loop: Generator[Evaluation, None, None] = (
            self._epochs(strategy) if isinstance(strategy, GradientStrategy) else self._run(strategy)
        )

    def __next__(self) -> Evaluation:
        return next(self._loop)

    def close(self) -> None:
        """Ends the search now. What is pending is abandoned; a recorded run asks it again on resume."""
        self._loop.close()
        self._end()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def elapsed(self) -> float:
        """Seconds that the search has run."""
        return self.elapsed_before + (self.clock() - self._started if self._started is not None else 0.0)

    @cached_property
    def answer(self) -> Answer:
        """What the workers call with each trial; made when it is first asked for, so that it is sent to each once."""
        return Answer(self.space, self.estimator, self.history.goal)

    def _run(self, strategy: Strategy) -> Generator[Evaluation, None, None]:
        history, streams = self.history, Streams(self.seed)  # read now, at the first step: `record` may set them
        self._started = self.clock()
        answer = self.answer
        known = {self._question(item.trial): place for place, item in enumerate(history) if self._answers(place)}
        running: dict[Future[Evaluation], int] = {}
        unasked = list(history.pending)  # of an interrupted run: to be asked again, first of all
        twins: dict[tuple[str, float, int], list[int]] = {}
        slots = getattr(self.executor, "workers", 1)
        wait = getattr(self.executor, "wait", _wait)
        patience = inf if getattr(self.strategy, "ends", False) else STALE
        try:
            self._open()
            while True:
                while len(running) < slots and self._idle < patience and (unasked or self.budget.allows(self)):
                    number = unasked.pop(0) if unasked else self._propose(strategy, streams)
                    if number is None:
                        break
                    question = self._question(trial := history.pending[number])
                    if question in known:
                        self._idle += 1
                        yield self._note(number, self._repeat(trial, known[question]))
                    elif question in twins:  # the same question is under way: its answer will do for both
                        self._idle += 1
                        twins[question].append(number)
                    else:
                        twins[question] = []
                        briefing = briefing_of(self.estimator, self.space, history, trial)
                        running[self.executor.submit(answer, trial, briefing)] = number
                if not running:
                    self.ended = self.budget.spent(self) or self._stale() or "the strategy has nothing left to ask"
                    return
                done = wait(running, self.budget.seconds_left(self))
                if not done:
                    self.ended = self.budget.spent(self)
                    return
                arrived = []  # all is noted before anything is yielded: the caller may never come back
                for future in sorted(done, key=running.__getitem__):
                    number = running.pop(future)
                    question = self._question(trial := history.pending[number])
                    known[question] = len(history)
                    evaluation = _result(future, trial)
                    self._idle = self._idle + 1 if _is_idle(evaluation) else 0
                    arrived.append(self._note(number, evaluation))
                    arrived += [
                        self._note(twin, self._repeat(history.pending[twin], known[question]))
                        for twin in twins.pop(question)
                    ]
                yield from arrived
        finally:
            self._end()

    def _epochs(self, strategy: GradientStrategy) -> Generator[Evaluation, None, None]:
        """The search of a gradient strategy: the estimator trains, and each epoch is an evaluation."""
        self._started = self.clock()
        assert isinstance(self.estimator, Relaxes)  # `search` looked
        history = self.history
        epochs = self.estimator.relaxed(self.space, strategy, len(history), self.seed)
        try:
            self._open()
            failed = history[-1].failure if len(history) and not history[-1].rejected else None  # by a run resumed
            while failed is None and (history.pending or self.budget.allows(self)):
                evaluation = next(epochs, None)
                if evaluation is None:
                    break
                evaluation = _sound(self.space, self.estimator, history.goal, evaluation)
                number = next(iter(history.pending), None)  # of an interrupted run: it was answered, but not stored
                if number is None:
                    number = history.ask(evaluation.trial)
                    if self.journal is not None:
                        self.journal.asked(number, evaluation.trial, len(history))
                failed = None if evaluation.rejected else evaluation.failure
                yield self._note(number, evaluation)
            trained = "the open network and its relaxation are trained"
            self.ended = f"the open network can't be trained further: {failed}" if failed else None
            self.ended = self.ended or self.budget.spent(self) or trained
        finally:
            self._end()

    def _open(self) -> None:
        while self.opening:
            self.opening.pop(0)()

    def _end(self) -> None:
        self.elapsed_before, self._started = self.elapsed, None
        self.executor.shutdown(wait=False, cancel_futures=True)
        while self.closing:
            self.closing.pop()()

    def _propose(self, strategy: Strategy, streams: Streams) -> int | None:
        trial = strategy.propose(self.space, self.history, streams[self.history.asked])
        if trial is None:
            return None
        number = self.history.ask(trial)
        if self.journal is not None:
            self.journal.asked(number, trial, len(self.history))
        return number

    def _note(self, number: int, evaluation: Evaluation) -> Evaluation:
        if evaluation.failure is not None:
            evaluation = replace(evaluation, failure=encodable(evaluation.failure))
        self.history.append(number, evaluation)
        if self.journal is not None:
            self.journal.answered(number, evaluation, self.elapsed)
        return evaluation

    def _question(self, trial: Trial) -> tuple[str, float, int]:
        return _question_of(self.space, trial)

    def _answers(self, position: int) -> bool:
        """Whether an evaluation of before answers the same question asked again.

        A rejection holds for the search that made it only, not for one that was given it to start from.
        """
        evaluation = self.history[position]
        return evaluation.reused is None and (position >= self.given or not evaluation.rejected)

    def _repeat(self, trial: Trial, position: int) -> Evaluation:
        return replace(self.history[position], trial=trial, cost=0.0, reused=position)

    def _stale(self) -> str | None:
        if self._idle < STALE or getattr(self.strategy, "ends", False):
            return None
        reasons = {item.failure for item in self.history[-STALE:] if _is_idle(item)}
        example = f"; one was {min(reasons, key=str)}" if reasons else ""
        return f"the last {STALE:,} proposals were all known, excluded or failed at no cost{example}"


def search(
    space: SearchSpace,
    strategy: Strategy | GradientStrategy,
    estimator: Estimator,
    *,
    objectives: Any,
    executor: Executor | None = None,
    history: Sequence[Evaluation] = (),
    seed: int = 0,
) -> Search:
    """Any space, any strategy, any estimator: an iterator of evaluations.

    Args:
        objectives: one or several of `maximize(...)`, `minimize(...)`, texts such as "valid_accuracy", and
            constraints such as "parameters <= 1e5".
        executor: where trials run: `Inline()` by default, `Processes(n)`, or any other standard-library Executor
            (its attribute `workers` says how many trials may be pending; 1 if it has none). It is shut down at the end.
        history: evaluations to start from. A parent, and an answer that is repeated, is named by its position in the
            whole list: give a history whole, or its beginning. Of a list that was cut or filtered, what refers to no
            earlier evaluation, or as a repetition to the answer to another question, refers to nothing: the answer
            stands for itself. That a parent has moved to another earlier position can't be told.
        seed: of the strategy's randomness.

    A gradient strategy (DARTS and its kin) and an estimator that shares weights train in this process, an epoch an
    evaluation; no executor is used.

    Raises:
        BadObjective: an objective that the estimator does not measure.
        ArchwrightError: a gradient strategy with an estimator that shares no weights.
    """
    if isinstance(strategy, GradientStrategy) and not isinstance(estimator, Relaxes):
        name = type(strategy).__name__
        raise ArchwrightError(
            f"{name} proposes no architectures, it relaxes the space: it needs an estimator that shares weights, "
            f"estimators.WeightSharing (--estimator weight-sharing), not {type(estimator).__name__}"
        )
    seed = plain(seed)
    if not isinstance(seed, int) or seed < 0:
        raise ArchwrightError(f"a seed is a whole number of at least 0, not {seed}")
    goal = Goal.of(objectives)
    metrics = metrics_of(estimator)
    if metrics is not None:
        for wanted in goal.wanted:
            if wanted.metric not in metrics:
                raise BadObjective(one_of("metric", wanted.metric, metrics))
    return Search(space, strategy, estimator, History(goal, _consistent(space, history)), executor or Inline(), seed)


def _is_idle(evaluation: Evaluation) -> bool:
    """Whether it brought nothing and spent nothing: a rejection, or a failure at no cost, as of what a table lacks.

    A budget of simulated seconds would never end if there were no others.
    """
    return evaluation.rejected or (evaluation.failure is not None and not evaluation.cost)


def _question_of(space: SearchSpace, trial: Trial) -> tuple[str, float, int]:
    """What makes two trials the same: equal canonical key, fidelity and seed."""
    return key_of(space, trial.architecture), trial.fidelity, trial.seed


def _consistent(space: SearchSpace, evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluations, each parent an earlier one, each repetition that of an earlier answer to the same question.

    Where a list was cut or filtered, what refers to anything else has no parent, or is no repetition. Those of a whole
    history stay as they are.
    """
    made: list[Evaluation] = []
    for evaluation in evaluations:
        trial, original = evaluation.trial, evaluation.reused
        if original is not None and not (
            0 <= original < len(made)
            and made[original].reused is None
            and _question_of(space, made[original].trial) == _question_of(space, trial)
        ):
            evaluation = replace(evaluation, reused=None)
        if trial.parent is not None and not 0 <= trial.parent < len(made):
            evaluation = replace(evaluation, trial=replace(trial, parent=None))
        made.append(evaluation)
    return made


class Spending(Protocol):
    """What a budget is spent on: a search, or a run that holds the beginning of one."""

    history: History

    @property
    def elapsed(self) -> float:
        """Seconds that the search has run."""
        ...


@dataclass(frozen=True)
class Budget:
    """When to stop. Repetitions and rejections cost nothing and don't count as evaluations."""

    evaluations: int | None = None
    epochs: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, plain(value))
            if value is not None and not value > 0:
                raise ArchwrightError(f"a budget of {name} has to be more than 0, not {value}")

    @property
    def _seconds(self) -> float:
        """To the microsecond: a budget of 123 seconds, given as minutes, is 123 seconds."""
        return round((self.minutes or 0.0) * 60, 6)

    def spent(self, search: Spending) -> str | None:
        """Which part of the budget is used up, in words; None if there is some of each left."""
        if self.evaluations is not None and search.history.spent >= self.evaluations:
            return f"the budget of {self.evaluations:,} evaluations is spent"
        if self.epochs is not None and search.history.epochs >= self.epochs:
            return f"the budget of {self.epochs:,g} epochs is spent"
        if self.minutes is not None and search.elapsed >= self._seconds:
            return f"the budget of {self.minutes:g} minutes is spent"
        return None

    def allows(self, search: Spending) -> bool:
        """Whether another trial may start, counting what the pending ones will cost."""
        pending, done = len(search.history.pending), search.history.spent
        if self.evaluations is not None and done + pending >= self.evaluations:
            return False
        if self.epochs is not None:
            epochs = search.history.epochs
            if epochs + pending * epochs / max(done, 1) >= self.epochs:
                return False
        return self.minutes is None or search.elapsed < self._seconds

    def seconds_left(self, search: Spending) -> float | None:
        """Until the search has to stop; None without such a limit."""
        return None if self.minutes is None else max(0.0, self._seconds - search.elapsed)


def budget(
    search: Search, *, evaluations: int | None = None, epochs: float | None = None, minutes: float | None = None
) -> Search:
    """Bounds a search; the first limit that is reached ends it.

    What is running when the minutes are over is abandoned (with `Inline` it is finished first); a recorded run
    asks it again on resume.
    """
    search.budget = Budget(evaluations, epochs, minutes)
    return search


@dataclass(frozen=True)
class Answer:
    """Asks the estimator; whatever goes wrong becomes a failed evaluation with its reason. Runs in the worker."""

    space: Any
    estimator: Estimator
    goal: Goal

    def prepare(self) -> None:
        """Loads the data of the estimator's task, if it has one, so that no trial's time limit counts that."""
        with suppress(Exception, SystemExit):  # what fails here fails in the trial too, and is told as its failure
            _ = self.estimator.task.splits  # type: ignore[attr-defined]

    def __call__(self, trial: Trial, briefing: Any = None) -> Evaluation:
        """The answer, or the failure."""
        return or_failure(trial, partial(_answered, self.space, self.estimator, self.goal, trial, briefing))


def _answered(space: Any, estimator: Estimator, goal: Goal, trial: Trial, briefing: Any) -> Evaluation:
    """The answer; a rejection of what the space or a constraint excludes, before the estimator spends anything."""
    started = time.perf_counter()
    absent = space.excluded(trial.architecture)
    if absent is not None:
        return Evaluation(trial, failure=absent, rejected=True)
    if goal.constraints and isinstance(estimator, Preflight):
        metrics = dict(estimator.preflight(space, trial))
        excluded = goal.excluded(metrics)
        if excluded is not None:
            return Evaluation(trial, metrics, cost=time.perf_counter() - started, failure=excluded, rejected=True)
    return _measured(estimator, goal, answer_of(estimator, space, trial, briefing))


def _sound(space: Any, estimator: Any, goal: Goal, evaluation: Evaluation) -> Evaluation:
    """What `Answer` looks after, for an evaluation that came without being asked for."""
    absent = None if evaluation.failure else space.excluded(evaluation.trial.architecture)
    if absent is not None:
        return replace(evaluation, failure=absent, rejected=True)
    return _measured(estimator, goal, evaluation)


def _measured(estimator: Any, goal: Goal, evaluation: Evaluation) -> Evaluation:
    """A failure, if what is wanted was not measured or is no finite number, or the cost can't be one."""
    evaluation = _plain(evaluation)
    if not 0.0 <= evaluation.cost < inf:
        reason = evaluation.failure or f"its cost is {evaluation.cost}: a cost is seconds, a number of at least 0"
        return replace(evaluation, cost=0.0, failure=reason)
    for wanted in goal.wanted:
        if evaluation.failure is not None:
            break
        if wanted.metric not in evaluation.metrics and metrics_of(estimator) is not None:
            return replace(evaluation, failure=f"{wanted.metric} was not measured")  # it is, of other architectures
        if not isfinite(evaluation.metrics.get(wanted.metric, 0.0)):
            return replace(evaluation, failure=f"{wanted.metric} is {evaluation.metrics[wanted.metric]}")
    return evaluation


def _plain(evaluation: Evaluation) -> Evaluation:
    """With numbers of Python's own, whatever the estimator computed with."""
    metrics = {str(name): float(value) for name, value in evaluation.metrics.items()}
    return replace(evaluation, metrics=metrics, curve=tuple(map(float, evaluation.curve)), cost=float(evaluation.cost))


def _wait(futures: Iterable[Future[Evaluation]], timeout: float | None) -> set[Future[Evaluation]]:
    return wait_for(futures, timeout, FIRST_COMPLETED).done


def _result(future: Future[Evaluation], trial: Trial) -> Evaluation:
    """The worker's answer, or a failure if the worker itself was lost."""
    error = future.exception()
    return (
        future.result()
        if error is None
        else Evaluation(trial, cost=getattr(error, "seconds", 0.0), failure=in_one_line(error))
    )
