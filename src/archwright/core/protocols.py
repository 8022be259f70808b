"""The three boxes of the survey's Figure 1, as types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.random import Generator

    from archwright.core.architecture import Architecture
    from archwright.core.choices import Decide
    from archwright.core.history import History
    from archwright.core.trial import Evaluation, Trial


class SearchSpace(Protocol):
    """Box one, as the other two see it: choices to walk, what it excludes, which architectures are the same graph."""

    def walk(self, decide: Decide) -> Any:
        """Visits the open choices in order, each decided by `decide(name, choice)`; returns what they made."""
        ...

    def excluded(self, architecture: Architecture) -> str | None:
        """Why there is no such network, as a sentence; None if there is one."""
        ...

    def key(self, architecture: Architecture) -> str:
        """Equal for architectures that compute the same graph."""
        ...


class Strategy(Protocol):
    """Box two. It never sees a network; history is its only state."""

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The next trial. None: wait for pending results or, if nothing is pending, there is nothing left to ask.

        The same history and the same `rng` give the same trial, in a fresh process too.
        """
        ...


@runtime_checkable
class GradientStrategy(Protocol):
    """Box two for DARTS and its kin: it does not propose, it relaxes the space."""

    def relax(self, network: Any) -> Any:
        """The distribution over the choices of an open network, `supernets.Relaxation`, which learns by gradient."""
        ...


class Estimator(Protocol):
    """Box three."""

    def estimate(self, space: Any, trial: Trial) -> Evaluation:
        """Answers a trial. It may raise: the search records a failure and goes on."""
        ...


@runtime_checkable
class Preflight(Protocol):
    """An estimator that knows some metrics before it spends anything."""

    def preflight(self, space: Any, trial: Trial) -> Mapping[str, float]:
        """Cheap metrics, so that constraints on them exclude an architecture before any training."""
        ...


@runtime_checkable
class Informed(Protocol):
    """An estimator whose answers depend on earlier ones: on a parent's weights, on the best so far, on known curves.

    A search asks for the briefing where the history is, and hands it on to where the trial runs.
    """

    def briefing(self, space: Any, history: History, trial: Trial) -> Any:
        """What answering this trial needs to know of the history: small, picklable; None if nothing."""
        ...

    def estimate(self, space: Any, trial: Trial, briefing: Any = None) -> Evaluation:
        """Answers a trial; without a briefing, as the first trial of a search."""
        ...


@runtime_checkable
class Relaxes(Protocol):
    """An estimator that trains an open network together with the relaxation of a gradient strategy."""

    def relaxed(self, space: Any, strategy: GradientStrategy, known: int, seed: int) -> Iterator[Evaluation]:
        """An evaluation an epoch, beginning after the `known` ones."""
        ...


@runtime_checkable
class Stored(Protocol):
    """An estimator that keeps files between trials, such as checkpoints to continue from."""

    def stored(self, folder: str) -> Estimator:
        """The same estimator, keeping its files under `folder`."""
        ...
