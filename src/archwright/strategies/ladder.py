"""Who stands on which rung, read from a history, and what of it a sampler sees."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.trial import Evaluation, Trial
from archwright.strategies.rungs import Ranking, is_promotion


class Seen(History):
    """The history of a `View`, in which most of what is pending was left at another fidelity."""

    def __init__(self, ladder: Ladder, whole: History) -> None:
        super().__init__(whole.goal)
        self._ladder = ladder

    @property
    def under_way(self) -> dict[int, Trial]:
        """The pending starts of which a trial is pending in the whole history."""
        running = self._ladder.under_way
        return {start: trial for start, trial in self.pending.items() if start in running}


class View:
    """What a sampler sees: a history in which each start is one trial, with the answers of one fidelity.

    A start is asked when it was asked, and answered by what it made at this fidelity. It has failed if it failed
    anywhere, and is pending as long as there is neither, for ever if it ended at another fidelity: then it is known,
    and not asked again, but isn't `under_way`.

    Attributes:
        history: what the sampler is given.
        positions: of each of its evaluations, the position in the whole history.
    """

    def __init__(self, ladder: Ladder, whole: History) -> None:
        self.history: History = Seen(ladder, whole)
        self.positions: list[int] = []
        self._places: dict[int, int] = {}  # of each start that is answered, the position in the view

    def append(self, start: int, evaluation: Evaluation, position: int, parent: int | None, reused: int | None) -> None:
        """Notes what start number `start` made; `parent` and `reused` are starts too."""
        if start not in self.history.pending:
            return
        trial = replace(
            evaluation.trial,
            architecture=self.history.pending[start].architecture,
            parent=None if parent is None else self._places.get(parent),
        )
        seen = replace(evaluation, trial=trial, reused=None if reused is None else self._places.get(reused))
        self._places[start] = len(self.history)
        self.positions.append(position)
        self.history.append(start, seen)

    @contextmanager
    def awaiting(self, starts: Container[int]) -> Iterator[None]:
        """Meanwhile no other starts are pending than these."""
        pending = self.history.pending
        self.history.pending = {start: trial for start, trial in pending.items() if start in starts}
        try:
            yield
        finally:
            self.history.pending = pending


class Ladder:
    """Who stands on which rung: a cache of what a history says, brought up to date by `read`.

    Attributes:
        starts: by fidelity, the numbers of the trials that are no promotions, in the order of asking. What was rejected
            is left out: it cost nothing, and another start takes its place.
        promotions: of a trial's number, the number of its promotion.
        positions: of a trial's number, the position of its evaluation.
        answered: by fidelity, the positions of the evaluations that were not rejected, in the order of arrival.
        views: what a sampler may see, by fidelity.
    """

    def __init__(self, levels: Iterable[float]) -> None:
        self._levels = tuple(levels)
        self._history: History | None = None
        self._known = 0

    def read(self, history: History) -> bool:
        """Takes in what is new; True if the history is another one than before, so that all was read anew."""
        fresh = history is not self._history or len(history) < self._known or history.asked < len(self._start)
        if fresh:
            self._begin(history)
        for position in range(self._known, len(history)):
            self.positions[history.numbers[position]] = position
        for number in range(len(self._start), history.asked):
            pending = history.pending.get(number)
            self._ask(history, number, history[self.positions[number]].trial if pending is None else pending)
        for position in range(self._known, len(history)):
            self._answer(history, position)
        self._known = len(history)
        return fresh

    def _begin(self, history: History) -> None:
        self._history, self._known = history, 0
        self._start: list[int] = []  # of each trial's number: which start it is, or was promoted from
        self._is_start: list[bool] = []
        self._questions: set[tuple[Architecture, float, int]] = set()
        self._sizes: Counter[float] = Counter()
        self._rankings = {level: Ranking() for level in self._levels}
        self._ranked = dict.fromkeys(self._levels, 0)  # how many answers of each level were ranked
        self._parents: list[int | None] = []  # of each start: the start that its parent was
        self.starts: defaultdict[float, list[int]] = defaultdict(list)
        self.promotions: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.answered: defaultdict[float, list[int]] = defaultdict(list)
        self.views = {level: View(self, history) for level in self._levels}

    def _ask(self, history: History, number: int, trial: Trial) -> None:
        parent = _number_of(history, trial.parent)
        promotion = parent is not None and is_promotion(history, trial)
        self._is_start.append(not promotion)
        self._questions.add((trial.architecture, trial.fidelity, trial.seed))
        if parent is not None and promotion:
            self.promotions[parent] = number
            self._start.append(self._start[parent])
            return
        self._start.append(len(self._parents))
        self._parents.append(None if parent is None else self._start[parent])
        self.starts[trial.fidelity].append(number)
        for view in self.views.values():
            view.history.ask(replace(trial, parent=None))

    def _answer(self, history: History, position: int) -> None:
        evaluation, number = history[position], history.numbers[position]
        trial = evaluation.trial
        if not evaluation.rejected:
            self.answered[trial.fidelity].append(position)
            self._sizes[trial.fidelity] += evaluation.reused is None
        elif self._is_start[number]:
            starts = self.starts[trial.fidelity]
            del starts[bisect_left(starts, number)]
        start = self._start[number]
        original = _number_of(history, evaluation.reused)
        reused = None if original is None else self._start[original]
        for level, view in self.views.items():
            if level == trial.fidelity or evaluation.failure is not None:
                view.append(start, evaluation, position, self._parents[start], reused)

    def knows(self, trial: Trial) -> bool:
        """Whether these decisions were asked about at this fidelity and with this seed."""
        return (trial.architecture, trial.fidelity, trial.seed) in self._questions

    @property
    def under_way(self) -> set[int]:
        """The starts of which a trial is pending, by their number among the starts."""
        assert self._history is not None  # it was read
        return {self._start[number] for number in self._history.pending}

    def size(self, level: float) -> int:
        """How many answers there are at a fidelity, failures included and repetitions left out."""
        return self._sizes[level]

    def ranking(self, level: float) -> Ranking:
        """The successes at a fidelity, best first; of equal answers the first."""
        assert self._history is not None  # it was read
        ranking, answered = self._rankings[level], self.answered[level]
        for position in answered[self._ranked[level] :]:
            scored = self._history.scored(position)
            if scored is not None and scored.evaluation.reused is None:
                ranking.add(scored)
        self._ranked[level] = len(answered)
        return ranking

    def seen(self, enough: int) -> View:
        """At the highest fidelity of which there are `enough` successes (Falkner et al., 2018), else at the lowest."""
        views = [self.views[level] for level in sorted(self.views)]
        return next((view for view in reversed(views) if len(view.history.succeeded) >= enough), views[0])


def _number_of(history: History, position: int | None) -> int | None:
    return None if position is None else history.numbers[position]
