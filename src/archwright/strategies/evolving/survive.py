"""Who lives on when a child has been evaluated. The failed are never born."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archwright.core.history import Scored
from archwright.core.rng import seed_for
from archwright.objectives.pareto import crowding_distance, non_dominated_sort
from archwright.strategies.evolving.population import Population, Survive, demand


@dataclass(frozen=True)
class Everyone:
    """Nothing is removed."""

    def __call__(self, population: Population, child: Scored) -> Population:
        """All before and the child."""
        population.parents.append(child)
        return population


@dataclass(frozen=True)
class Youngest:
    """The oldest dies (aging)."""

    size: int

    def __post_init__(self) -> None:
        demand(self.size >= 1, "a population of at least 1")

    def __call__(self, population: Population, child: Scored) -> Population:
        """The child and the youngest before it."""
        parents = population.parents
        parents.append(child)
        if len(parents) > self.size:
            del parents[0]
        return population


@dataclass(frozen=True)
class Stronger:
    """For each child beyond `size` the worst of `sample` random ones dies: the one whom the most of them beat."""

    size: int
    sample: int = 2

    def __post_init__(self) -> None:
        demand(1 <= self.sample <= self.size, "1 <= sample <= population")

    def __call__(self, population: Population, child: Scored) -> Population:
        """The child and all but the one who dies."""
        from numpy.random import default_rng

        parents = population.parents
        if len(parents) == self.size:
            rng = default_rng(seed_for(child.position, child.evaluation.trial.architecture.decisions))
            drawn = rng.permutation(len(parents))[: self.sample].tolist()
            del parents[max(drawn, key=lambda index: sum(parents[other].beats(parents[index]) for other in drawn))]
        parents.append(child)
        return population


@dataclass(frozen=True)
class Generation:
    """When `size` children are there, they take their parents' place (a generational scheme).

    Nobody waits: children of an earlier generation that arrive late count for the present one.
    """

    size: int

    def __post_init__(self) -> None:
        demand(self.size >= 1, "a generation of at least 1")

    def __call__(self, population: Population, child: Scored) -> Population:
        """The children, once all are there."""
        population.children.append(child)
        complete = len(population.children) >= self.size
        return Population(population.children, []) if complete else population


@dataclass(frozen=True)
class Elite:
    """The best `size` of the parents and a generation of `children`, (mu + lambda), in NSGA-II's order, best first.

    With one objective that order is by loss. Of equals the youngest comes first, so that a search can drift.
    """

    size: int
    children: int

    def __post_init__(self) -> None:
        demand(self.size >= 1 and self.children >= 1, "a population and a generation of at least 1")

    def __call__(self, population: Population, child: Scored) -> Population:
        """The best, once all children are there."""
        population.children.append(child)
        if len(population.children) < (self.children if population.parents else self.size):
            return population
        return Population(crowded([*reversed(population.children), *population.parents])[: self.size], [])


@dataclass(frozen=True)
class Front:
    """Whom nobody beats: the Pareto front; of equal ones the earliest."""

    def __call__(self, population: Population, child: Scored) -> Population:
        """The front with the child in mind."""
        parents = population.parents
        if any(other.beats(child) or _equal(other, child) for other in parents):
            return population
        return Population([*(other for other in parents if not child.beats(other)), child], [])


@dataclass(frozen=True)
class Fresh:
    """Answers that repeat a known one are left out; the others do as `survive` says."""

    survive: Survive

    def __call__(self, population: Population, child: Scored) -> Population:
        """The same as before if the child is a repetition."""
        return population if child.evaluation.reused is not None else self.survive(population, child)


def crowded(candidates: Sequence[Scored]) -> list[Scored]:
    """Best first: by front, inside a front by crowding distance, the least crowded first (Deb et al., 2002, §III-C)."""
    losses = [scored.losses for scored in candidates]
    ranked: list[Scored] = []
    for front in non_dominated_sort(losses, [scored.violation for scored in candidates]):
        distance = crowding_distance([losses[index] for index in front])
        ranked += [candidates[front[place]] for place in sorted(range(len(front)), key=lambda place: -distance[place])]
    return ranked


def _equal(left: Scored, right: Scored) -> bool:
    return left.losses == right.losses and left.violation == right.violation
