"""Strategies x seeds on one benchmark, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

from archwright.compare.comparison import Comparison
from archwright.compare.ledger import Ledger, Notes, Outcomes, manifest_of
from archwright.compare.measuring import Outcome, measure
from archwright.compare.terms import Entry, Terms, enter
from archwright.core.errors import ArchwrightError
from archwright.core.protocols import Strategy
from archwright.runtime.inline import Inline
from archwright.runtime.machine import cores
from archwright.runtime.processes import Processes

Question = tuple[str, bytes, int]
"""A search that is to be made: strategy, its bytes, seed."""


@dataclass(frozen=True)
class Plan:
    """A comparison that has been checked and can be made."""

    terms: Terms
    entries: Mapping[str, Entry]
    seeds: int

    @classmethod
    def of(cls, strategies: Mapping[str, Strategy] | Sequence[Strategy], terms: Terms, seeds: int) -> Plan:
        """The strategies enter.

        Raises:
            UnfairComparison: one of them holds what it may not see.
        """
        if seeds < 1:
            raise ArchwrightError(f"a comparison needs at least 1 seed, not {seeds}")
        return cls(terms, enter(strategies, terms), seeds)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is compared."""
        return manifest_of(self.terms, self.entries, self.seeds)

    def run(
        self, folder: Path | None = None, jobs: int | None = None, on_search: Callable[[int, int], None] | None = None
    ) -> Comparison:
        """Makes the searches that are missing; all of them without a folder. See `archwright.compare`."""
        if jobs is not None and jobs < 1:
            raise ArchwrightError(f"a comparison needs at least 1 job at a time, not {jobs}")
        with nullcontext(Notes(self.manifest)) if folder is None else Ledger(folder, self.manifest) as notes:
            missing, total = _missing(self.entries, self.seeds, notes.outcomes), self.seeds * len(self.entries)
            tell = on_search or (lambda done, total: None)
            tell(total - len(missing), total)
            for outcome in _measured(self.terms, missing, jobs):
                notes.append(outcome)
                tell(len(notes.outcomes), total)
            comparison = Comparison(notes.manifest, notes.outcomes, folder)
            if folder is not None:
                comparison.write()
        return comparison


def _missing(entries: Mapping[str, Entry], seeds: int, outcomes: Outcomes) -> list[Question]:
    """Seed by seed, so that a comparison that is interrupted has about as many of each strategy."""
    asked = [(label, entry.packed, seed) for seed in range(seeds) for label, entry in entries.items()]
    return [(label, packed, seed) for label, packed, seed in asked if (label, seed) not in outcomes]


def _measured(terms: Terms, questions: Sequence[Question], jobs: int | None) -> Iterator[Outcome]:
    """The outcomes as they come. After a failure what has finished is still yielded.

    Raises:
        ArchwrightError: a strategy failed, or a worker process was lost.
    """
    jobs = min(jobs or cores(), max(len(questions), 1))
    executor = Inline() if jobs == 1 else Processes(jobs)
    ask = partial(measure, terms)  # travels once a worker, and with it the tables, or their names
    waiting = iter(questions)
    running: set[Future[Outcome]] = set()
    failure: BaseException | None = None
    try:
        while failure is None:
            # Two a worker: none waits for this process to write an outcome down.
            running |= {executor.submit(ask, *question) for question in islice(waiting, 2 * jobs - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            failure = next((error for future in done if (error := future.exception()) is not None), None)
            yield from (future.result() for future in done if future.exception() is None)
        raise failure
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
