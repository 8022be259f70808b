"""DEHB, differential evolution on Hyperband's brackets: Awad, Mallik and Hutter, 2021."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import Choice, Open, from_unit
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, Scored
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.core.trial import Trial
from archwright.spaces.operators import sample, trace
from archwright.strategies.learner import Learner
from archwright.strategies.models.parzen import cell
from archwright.strategies.rungs import Bracket, Ranking, Rungs, promoted

if TYPE_CHECKING:
    from numpy.random import Generator

DONORS = 3
"""Members that a mutant is made of."""

TRIES = 50
"""How often a child is drawn anew that the space excludes, or that was asked about at this fidelity."""


@dataclass
class Subpopulation:
    """Of one fidelity: its members by place, the place that each evaluation fought for, and what was asked."""

    size: int
    members: list[Scored] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    architectures: set[Architecture] = field(default_factory=set)
    count: int = 0

    def fight(self, child: Scored) -> None:
        """The child takes its target's place unless the target is better; without a target it takes a free place."""
        target = child.evaluation.trial.parent
        if target in self.places:
            place = self.places[target]
        elif len(self.members) < self.size:
            place = len(self.members)
            self.members.append(child)
        else:  # more than there are places: several were under way when one was free
            last = list(Ranking(self.members))[-1]
            place = next(place for place, member in enumerate(self.members) if member.position == last)
        self.places[child.position] = place
        if not self.members[place].beats(child):
            self.members[place] = child

    def best(self, count: int) -> list[Scored]:
        """The `count` best members, best first."""
        members = {member.position: member for member in self.members}
        return [members[position] for position in list(Ranking(self.members))[:count]]


@dataclass
class State:
    """The subpopulations, and how many evaluations were rejected: those have used up no place in a bracket."""

    populations: dict[float, Subpopulation]
    rejected: int = 0

    def others(self, known: list[Scored], count: int, rng: Generator) -> list[Scored]:
        """Up to `count` members drawn from all populations, none of them known."""
        taken = {member.position for member in known}
        free = [other for made in self.populations.values() for other in made.members if other.position not in taken]
        return [free[place] for place in rng.permutation(len(free))[:count].tolist()]


@dataclass
class DEHB(Learner[State]):
    """Hyperband's brackets say how many trials a fidelity gets; each has a population, for whose places children fight.

    A trial is a child of the next member of its fidelity's population, its target: a mutant a + F (b - c) of three
    others (rand/1), crossed with the target decision by decision (binomial). At the first rung of a bracket the three
    come from the same population, at a later one from the best of the population below. The child takes the target's
    place unless that is better. While brackets are run for the first time, populations are filled: by random
    architectures at first rungs, and by promotions of the best at later ones.

    Decisions lie in [0, 1]: an option's share of it, a number's place in its range. Where in its share a member lies is
    drawn once for each evaluation, and so is what it doesn't decide, as the paper's vectors hold more than they say. A
    mutant outside is drawn anew. In the history, a child's parent is its target.

    What differs from the authors' program: a child that was asked about at its fidelity already is drawn again, since
    of few options many repeat; and with several workers no rung waits for the last results of the one below.

    Attributes:
        eta: what one fidelity is to the one below it; the paper's 3.
        lowest: fidelity that the first rung has at least.
        levels: the fidelities themselves, ascending to 1, in place of `eta` and `lowest`: those of a table, say.
        factor: F of the mutation; the paper's 0.5.
        crossover: probability that a decision is the mutant's; the paper's 0.5. At least one is.
    """

    eta: int = 3
    lowest: float = 1 / 9
    levels: tuple[float, ...] = ()
    factor: float = 0.5
    crossover: float = 0.5

    def __post_init__(self) -> None:
        self.rungs  # noqa: B018 (numbers that don't fit are refused at once)
        if not 0.0 < self.factor <= 2.0 or not 0.0 <= self.crossover <= 1.0:
            raise ArchwrightError(
                f"DEHB needs a factor in (0, 2] and a crossover within 0 and 1, not {self.factor} and {self.crossover}"
            )

    @cached_property
    def rungs(self) -> Rungs:
        """The fidelities."""
        return Rungs(tuple(self.levels)) if self.levels else Rungs.geometric(self.eta, self.lowest)

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """The trial of the next place in the brackets."""
        state = self.learned(space, history)
        turn, bracket, rung = self._place(len(history) - state.rejected + len(history.pending))
        level = bracket.levels[rung]
        population = state.populations[level]
        pending = [trial for trial in history.pending.values() if trial.fidelity == level]
        target = (population.count + len(pending)) % population.size
        known = population.architectures | {trial.architecture for trial in pending}
        below = state.populations[bracket.levels[max(rung - 1, 0)]]
        if turn == 0 and rung > 0:
            best = (member for member in below.best(below.size) if member.evaluation.trial.architecture not in known)
            if (chosen := next(best, None)) is not None:
                return promoted(history, chosen.position, level)
        donors = below.best(bracket.sizes[rung])
        if len(donors) < DONORS:
            donors += state.others(donors, DONORS - len(donors), rng)
        if len(donors) >= DONORS and target < len(population.members):
            parent = population.members[target]
            for _ in range(TRIES):
                child = self._child(space, parent, donors, rng)
                if child not in known and space.excluded(child) is None:
                    return Trial(child, level, parent=parent.position)
        return Trial(sample(space, rng), level)

    def _child(self, space: SearchSpace, target: Scored, donors: list[Scored], rng: Generator) -> Architecture:
        """A mutant of three donors, crossed with the target."""
        a, b, c = (donors[place] for place in rng.permutation(len(donors))[:DONORS].tolist())
        kept = target.evaluation.trial.architecture.as_dict()
        forced = list(kept)[int(rng.integers(len(kept)))] if kept else None

        def decide(name: str, choice: Open) -> Value:
            if rng.random() >= self.crossover and name != forced:
                return kept[name] if name in kept else _decoded(choice, _unit(target, name, choice))
            difference = _unit(b, name, choice) - _unit(c, name, choice)
            mutant = _unit(a, name, choice) + self.factor * difference
            return _decoded(choice, mutant if 0.0 <= mutant <= 1.0 else rng.random())

        return trace(space, decide)

    def _place(self, number: int) -> tuple[int, Bracket, int]:
        """Of the trial of this number: how often its bracket was run before, the bracket, and the rung in it."""
        turn, number = divmod(number, sum(sum(bracket.sizes) for bracket in self._brackets))
        for bracket in self._brackets:
            for rung, size in enumerate(bracket.sizes):
                if number < size:
                    return turn, bracket, rung
                number -= size
        raise AssertionError("a remainder is smaller than what it is left of")

    @cached_property
    def _brackets(self) -> tuple[Bracket, ...]:
        return self.rungs.brackets()

    def begin(self, space: SearchSpace) -> State:
        """Empty populations, each as large as the largest rung of its fidelity."""
        sizes: defaultdict[float, int] = defaultdict(int)
        for bracket in self._brackets:
            for size, level in zip(bracket.sizes, bracket.levels, strict=True):
                sizes[level] = max(sizes[level], size)
        return State({level: Subpopulation(size) for level, size in sizes.items()})

    def learn(self, state: State, space: SearchSpace, history: History, position: int) -> None:
        """An evaluation fights for its place."""
        evaluation, scored = history[position], history.scored(position)
        state.rejected += evaluation.rejected
        population = state.populations.get(evaluation.trial.fidelity)
        if population is None or evaluation.rejected:
            return
        population.count += 1
        population.architectures.add(evaluation.trial.architecture)
        if scored is not None:
            population.fight(scored)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("rungs", "_brackets")}


def _unit(member: Scored, name: str, choice: Open) -> float:
    """Where a member's decision lies in [0, 1], and where it would if it made one."""
    within = seed_for("dehb", member.position, name) / 2**63
    value = member.evaluation.trial.architecture.as_dict().get(name)
    if value is None:
        return within
    if isinstance(choice, Choice):
        return (value + within) / len(choice.options)
    low, high = cell(choice, value)
    return low + within * (high - low)


def _decoded(choice: Open, unit: float) -> Value:
    if isinstance(choice, Choice):
        return min(int(unit * len(choice.options)), len(choice.options) - 1)
    return from_unit(choice, unit)
