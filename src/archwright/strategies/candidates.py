"""Candidates for strategies that let a model choose among many: random architectures, and changes to good ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Open, from_unit, to_unit
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.spaces.operators import key_of, mutate, sample, trace

if TYPE_CHECKING:
    from numpy.random import Generator

SPREAD = 0.2
"""Standard deviation of a number's step from its parent's, in shares of its range (SMAC: Hutter et al., 2011, §4.3)."""

ROUNDS = 3
"""Of `maximised`."""
LEADERS = 10
"""New candidates that a round of `maximised` starts from."""


def candidates(
    space: SearchSpace, history: History, rng: Generator, count: int, parents: Sequence[Architecture] = ()
) -> list[Architecture]:
    """Up to `count` different architectures that were never asked about: half random, half mutants of the parents.

    The parents, best first, take turns; each mutant has one decision changed. Without parents all are random. Fewer
    return where the space is nearly used up, and none when it is.

    Candidates differ from what was asked in their decisions; an equal graph may hide behind other decisions, and keys
    of all candidates can cost more than the model: let `choose` choose among them.
    """
    known = asked(history)
    found: dict[Architecture, None] = {}
    for attempt in range(2 * count):
        if len(found) == count:
            break
        if parents and attempt % 2:
            made = _mutant(space, parents[attempt // 2 % len(parents)], rng)
        else:
            made = sample(space, rng)
        if made not in known:
            found[made] = None
    return list(found)


def new(space: SearchSpace, history: History, ranked: Iterable[Architecture]) -> Iterator[Architecture]:
    """Those of `ranked` whose graph is neither known nor pending, in their order."""
    known = {key_of(space, architecture) for architecture in asked(history)}
    return (architecture for architecture in ranked if key_of(space, architecture) not in known)


def choose(
    space: SearchSpace, history: History, found: Sequence[Architecture], scores: np.ndarray[Any, Any]
) -> Architecture | None:
    """The candidate of the highest score (one each) that is new, the first among equals; None if none is new."""
    return next(new(space, history, _ranked(found, scores)), None)


def maximised(
    space: SearchSpace,
    history: History,
    rng: Generator,
    score: Callable[[Sequence[Architecture]], np.ndarray[Any, Any]],
    count: int,
    parents: Sequence[Architecture] = (),
) -> Architecture | None:
    """The new architecture of the highest score that `ROUNDS` rounds of `count` candidates find; None if none is new.

    The first candidates are those of `candidates`; in later rounds the `LEADERS` new ones of the highest score are the
    parents, so that the search for the maximum climbs (as the local searches of SMAC and the evolution of NASBOT do).
    """
    found: dict[Architecture, float] = {}
    for _ in range(ROUNDS):
        more = [made for made in candidates(space, history, rng, count, parents) if made not in found]
        found |= zip(more, score(more).tolist(), strict=True)
        parents = list(islice(new(space, history, _ranked(list(found), np.array(list(found.values())))), LEADERS))
    return parents[0] if parents else None


def _ranked(found: Sequence[Architecture], scores: np.ndarray[Any, Any]) -> Iterator[Architecture]:
    return (found[place] for place in np.argsort(-scores, kind="stable"))


def asked(history: History) -> set[Architecture]:
    """What was asked about, answered or pending."""
    pending = {trial.architecture for trial in history.pending.values()}
    return pending | {evaluation.trial.architecture for evaluation in history}


def leading(known: Sequence[Scored], losses: np.ndarray[Any, Any], count: int) -> list[Architecture]:
    """The `count` evaluations of the smallest losses (one each), best first.

    The sort is stable: numpy's default orders ties, which repeated answers make, as the processor likes.
    """
    order = np.argsort(losses, kind="stable")[:count]
    return [known[place].evaluation.trial.architecture for place in order]


def _mutant(space: SearchSpace, parent: Architecture, rng: Generator) -> Architecture:
    """One decision changed; a number takes a normal step from where it was, so that a good one is refined."""
    known, mutant = parent.as_dict(), mutate(space, parent, rng).as_dict()

    def decide(name: str, choice: Open) -> Value:
        old, new = known.get(name), mutant.get(name)
        if isinstance(choice, Choice) or old is None or new == old:
            return mutant[name]
        return from_unit(choice, min(max(to_unit(choice, old) + SPREAD * rng.standard_normal(), 0.0), 1.0))

    try:
        return trace(space, decide)
    except KeyError:  # the step opened what the mutation did not, such as one repetition more
        return Architecture(tuple(mutant.items()))
