"""What follows from `walk`, written once for every space: sample, mutate, cross over, neighbours, enumerate, size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archwright.core.architecture import Architecture, Value
from archwright.core.choices import BadSpace, Choice, Decide, Integer, Open, Real, Repeat, accepts, from_unit, to_unit
from archwright.core.protocols import SearchSpace
from archwright.spaces.space import Space, branches

if TYPE_CHECKING:
    from numpy.random import Generator

TRIES = 1000
"""How often `sample`, `mutate_each` and `cross_over` draw again what the space excludes."""

STEP = 0.1
"""How far `neighbours` moves an Integer or a Real: a tenth of its range (an Integer at least 1)."""


def trace(space: SearchSpace, decide: Decide) -> Architecture:
    """Walks the space and writes down every decision: the architecture that `decide` names."""
    decisions: list[tuple[str, Value]] = []

    def note(name: str, choice: Open) -> Value:
        value = decide(name, choice)
        decisions.append((name, value))
        return value

    space.walk(note)
    return Architecture(tuple(decisions))


def key_of(space: SearchSpace, architecture: Architecture) -> str:
    """The canonical key; for a graph of the user's own that fails, the decisions themselves."""
    try:
        return space.key(architecture)
    except Exception:  # the network will tell, in its worker
        return architecture.to_json()


def draw(choice: Open, rng: Generator) -> Value:
    """A uniform value for one choice (uniform in the logarithm for `log`)."""
    if isinstance(choice, Choice):
        return int(rng.random() * len(choice.options))
    return from_unit(choice, rng.random())


def sample(space: SearchSpace, rng: Generator) -> Architecture:
    """A random architecture: every decision uniform, in the order of the walk; drawn again while the space excludes it.

    Raises:
        BadSpace: the space excludes all of `TRIES` draws.
    """
    for _ in range(TRIES):
        architecture = trace(space, lambda _, choice: draw(choice, rng))
        reason = space.excluded(architecture)
        if reason is None:
            return architecture
    raise BadSpace(f"the space excludes all of {TRIES:,} architectures drawn at random; the last because {reason}")


def first(choice: Open) -> Value:
    """A choice's default: the first option, or the lowest value."""
    return 0 if isinstance(choice, Choice) else choice.low


def mutate(space: SearchSpace, architecture: Architecture, rng: Generator) -> Architecture:
    """Changes one decision, drawn uniformly, to another value; what that opens is sampled.

    A decision whose change the space excludes is put aside, and another one drawn. Where nothing can change (a space
    of one point) the architecture itself returns.
    """
    names = [name for name, _ in architecture]
    while names:
        mutant = _changed_at(space, architecture, names.pop(int(rng.random() * len(names))), rng)
        if mutant != architecture and space.excluded(mutant) is None:  # if equal, the choice had one answer only
            return mutant
    return architecture


def _changed_at(space: SearchSpace, architecture: Architecture, place: str, rng: Generator) -> Architecture:
    known = architecture.as_dict()

    def decide(name: str, choice: Open) -> Value:
        if name == place and not _is_single(choice):
            return _another(choice, known[name], rng)
        return known[name] if name in known else draw(choice, rng)

    return trace(space, decide)


def with_decision(
    space: SearchSpace, architecture: Architecture, name: str, value: Value, rng: Generator | None = None
) -> Architecture:
    """Changes the decision `name` to `value` and keeps the others; what that opens is sampled.

    Without `rng`, what it opens takes its default, `first`.
    """
    known = architecture.as_dict() | {name: value}

    def decide(name: str, choice: Open) -> Value:
        if name in known:
            return known[name]
        return draw(choice, rng) if rng is not None else first(choice)

    return trace(space, decide)


def mutate_each(space: SearchSpace, architecture: Architecture, rate: float, rng: Generator) -> Architecture:
    """Changes every decision with probability `rate` to another value; what that opens is sampled.

    Where the space excludes all of `TRIES` mutants the architecture itself returns.
    """
    known = architecture.as_dict()

    def decide(name: str, choice: Open) -> Value:
        if name not in known:
            return draw(choice, rng)
        return _another(choice, known[name], rng) if rng.random() < rate and not _is_single(choice) else known[name]

    mutants = (trace(space, decide) for _ in range(TRIES))
    return next((mutant for mutant in mutants if space.excluded(mutant) is None), architecture)


def cross_over(
    space: SearchSpace,
    left: Architecture,
    right: Architecture,
    rng: Generator,
    *,
    share: float = 0.5,
    stages: bool = False,
) -> Architecture:
    """Each decision is the right parent's with probability `share`, else the left's: 0.5 is uniform crossover.

    With `stages`, what stands under one argument of the factory, or under one item of it, goes together: of
    `stages[1].edges[0]` that is `stages[1]`. What only one parent decided is taken from it, and what neither did is
    sampled. Where the space excludes all of `TRIES` children the left parent returns.
    """
    parents = (left.as_dict(), right.as_dict())

    def child() -> Architecture:
        swapped: dict[str, bool] = {}

        def decide(name: str, choice: Open) -> Value:
            stage = _stage(name) if stages else name
            if stage not in swapped:
                swapped[stage] = rng.random() < share
            order = reversed(parents) if swapped[stage] else parents
            values = (parent[name] for parent in order if name in parent and accepts(choice, parent[name]))
            value = next(values, None)
            return draw(choice, rng) if value is None else value

        return trace(space, decide)

    children = (child() for _ in range(TRIES))
    return next((child for child in children if space.excluded(child) is None), left)


def _stage(name: str) -> str:
    match = re.match(r"\w+(\[\d+\])?", name)
    return name if match is None else match[0]


def neighbours(space: SearchSpace, architecture: Architecture) -> list[Architecture]:
    """Every architecture one decision away that the space doesn't exclude, in the order of the walk.

    A Choice moves to each other option, an Integer or a Real a tenth of its range up and down; what a
    move opens takes its default.
    """
    seen = opened(space, architecture)
    decided = tuple((name, architecture[name]) for name, _ in seen)
    found: list[Architecture] = []
    for place, (name, choice) in enumerate(seen):
        others = [(name, value) for value in _other_values(choice, architecture[name])]
        if _opens_nothing(choice):  # the other decisions stay: no walk is needed to see which there are
            found += [Architecture((*decided[:place], move, *decided[place + 1 :])) for move in others]
        else:
            found += [with_decision(space, architecture, *move) for move in others]
    return [neighbour for neighbour in found if space.excluded(neighbour) is None]


Move = tuple[str, Value]
"""A decision's name, and another value for it."""


def moves(space: SearchSpace, architecture: Architecture) -> list[Move]:
    """What leads to the `neighbours`, in their order; those that the space excludes are not left out.

    There may be thousands, and to build a neighbour takes a walk: who needs only one draws it with `moved`.
    """
    return [
        (name, value)
        for name, choice in opened(space, architecture)
        for value in _other_values(choice, architecture[name])
    ]


def moved(space: SearchSpace, architecture: Architecture, among: Sequence[Move], rng: Generator) -> Architecture | None:
    """The neighbour that one of the moves leads to, drawn uniformly among those that the space doesn't exclude.

    None if it excludes all.
    """
    left = list(among)
    while left:
        neighbour = with_decision(space, architecture, *left.pop(int(rng.random() * len(left))))
        if space.excluded(neighbour) is None:
            return neighbour
    return None


def move_to(space: SearchSpace, architecture: Architecture, other: Architecture) -> Move | None:
    """The move from an architecture to a neighbour of it; None if it is none."""
    pairs = zip(architecture, other, strict=False)  # up to the first change, both walks decide the same
    move = next((theirs for ours, theirs in pairs if ours != theirs), None)
    if move is None or move not in moves(space, architecture):
        return None
    return move if with_decision(space, architecture, *move) == other else None


def opened(space: SearchSpace, architecture: Architecture) -> list[tuple[str, Open]]:
    """The choices that an architecture decides, by name, in the order of the walk."""
    known = architecture.as_dict()
    seen: list[tuple[str, Open]] = []

    def read(name: str, choice: Open) -> Value:
        seen.append((name, choice))
        return known[name]

    space.walk(read)
    return seen


def enumerate_all(space: SearchSpace) -> Iterator[Architecture]:
    """Every architecture that the space doesn't exclude, each once, as an odometer turns: the last decision fastest.

    Raises:
        BadSpace: the space has a Real, so it has no end.
    """
    wheels: list[tuple[Value, Value]] = []  # what each decision stands at, and the last it can be
    while True:
        turned = iter(wheels)
        fresh: list[tuple[Value, Value]] = []

        def decide(
            _: str,
            choice: Open,
            turned: Iterator[tuple[Value, Value]] = turned,
            fresh: list[tuple[Value, Value]] = fresh,
        ) -> Value:
            if isinstance(choice, Real) and choice.low != choice.high:
                raise BadSpace("a space with a Real has no end to enumerate")
            start = first(choice)
            last = len(choice.options) - 1 if isinstance(choice, Choice) else choice.high
            fresh.append(next(turned, (start, last)))
            return fresh[-1][0]

        architecture = trace(space, decide)
        if space.excluded(architecture) is None:
            yield architecture
        while fresh and fresh[-1][0] == fresh[-1][1]:
            fresh.pop()
        if not fresh:
            return
        fresh[-1] = (fresh[-1][0] + 1, fresh[-1][1])
        wheels = fresh


def size(space: Space) -> int | float:
    """How many architectures the space has, exactly; `math.inf` if a Real is open. What it excludes is counted too.

    Counts by the trees still to be decided, remembering equal remainders, so that conditional branches, repetitions
    and shared objects are counted right without being enumerated.
    """
    known: dict[Any, int | float] = {}
    inside: dict[int, frozenset[int]] = {}
    repeated = lengths(space)

    def count(ahead: tuple[Any, ...], decided: Decided) -> int | float:
        """The ways to decide the trees `ahead`, given what was `decided`."""
        product: int | float = 1
        while ahead:
            tree, rest = ahead[0], ahead[1:]
            if not objects(tree) & frozenset[int]().union(*map(objects, rest)):  # nothing shared with what follows
                product, ahead = product * count_one(tree, (), decided), rest
            else:
                return product * count_one(tree, rest, decided)
        return product

    def objects(tree: Any) -> frozenset[int]:
        """The identities of all choices in a tree."""
        if id(tree) not in inside:
            own = {id(tree)} if isinstance(tree, Choice | Integer | Real | Repeat) else set()
            inside[id(tree)] = frozenset(own).union(*map(objects, _inside(tree)))
        return inside[id(tree)]

    def remember(decided: Decided, tree: Any, value: Any, rest: tuple[Any, ...]) -> Decided:
        """With a decision, but only while its object can be met again: equal remainders then look equal."""
        if not any(id(tree) in objects(other) for other in rest):
            return decided
        return tuple(sorted((*decided, (id(tree), value)), key=lambda pair: pair[0]))

    def count_one(tree: Any, rest: tuple[Any, ...], decided: Decided) -> int | float:
        here = (id(tree), tuple(map(id, rest)), decided)
        if here not in known:
            known[here] = expand(tree, rest, decided)
        return known[here]

    def expand(tree: Any, rest: tuple[Any, ...], decided: Decided) -> int | float:
        seen = dict(decided)
        if isinstance(tree, Choice | Integer | Real | Repeat) and id(tree) in seen:
            return count(rest, decided)
        if isinstance(tree, Choice):
            after = remember(decided, tree, None, rest)
            return sum(count((option, *rest), after) for option in tree.options)
        if isinstance(tree, Real):
            return (math.inf if tree.low != tree.high else 1) * count(rest, remember(decided, tree, None, rest))
        if isinstance(tree, Integer):
            if id(tree) not in repeated:
                return (tree.high - tree.low + 1) * count(rest, remember(decided, tree, None, rest))
            return sum(count(rest, remember(decided, tree, n, rest)) for n in range(tree.low, tree.high + 1))
        if isinstance(tree, Repeat):
            if isinstance(tree.times, Integer) and id(tree.times) not in seen:
                return count((tree.times, tree, *rest), decided)
            times = seen[id(tree.times)] if isinstance(tree.times, Integer) else tree.times
            # What a repetition decides is forgotten after it, so all of them are independent.
            each = math.prod(count((tree.at(index),), decided) for index in range(times))
            return each * count(rest, remember(decided, tree, None, rest))
        return count((*(part for _, part in branches(tree)), *rest), decided)

    return count(tuple(space.choices.values()), ())


Decided = tuple[tuple[int, Any], ...]
"""Which shared objects were decided, by identity; an Integer that some Repeat takes for its length with its value."""


def _inside(tree: Any) -> list[Any]:
    if isinstance(tree, Choice):
        return list(tree.options)
    if isinstance(tree, Repeat):
        return [tree.times, *tree.bodies]
    return [part for _, part in branches(tree)]


def lengths(space: Space) -> set[int]:
    """The identities (`id`) of the Integers that say how long a Repeat is."""
    return _times_of_repeats(list(space.choices.values()))


def _times_of_repeats(trees: list[Any]) -> set[int]:
    found: set[int] = set()
    for tree in trees:
        if isinstance(tree, Repeat) and isinstance(tree.times, Integer):
            found.add(id(tree.times))
        found |= _times_of_repeats(_inside(tree))
    return found


def _is_single(choice: Open) -> bool:
    return len(choice.options) == 1 if isinstance(choice, Choice) else choice.low == choice.high


def _another(choice: Open, old: Value, rng: Generator) -> Value:
    """A uniform value other than `old`."""
    if isinstance(choice, Choice):
        index = int(rng.random() * (len(choice.options) - 1))
        return index + (index >= old)
    value = old
    while value == old:
        value = draw(choice, rng)
    return value


def _opens_nothing(choice: Open) -> bool:
    """Whether it opens no decision, whatever it is; of an Integer, which may be the length of a list, it isn't said."""
    return isinstance(choice, Real) or (isinstance(choice, Choice) and not any(map(_holds_choices, choice.options)))


def _holds_choices(tree: Any) -> bool:
    return isinstance(tree, Choice | Integer | Real | Repeat) or any(map(_holds_choices, _inside(tree)))


def _other_values(choice: Open, old: Value) -> list[Value]:
    """What `neighbours` moves a decision to."""
    if isinstance(choice, Choice):
        return [index for index in range(len(choice.options)) if index != old]
    values: list[Value] = []
    for direction in (-1, 1):
        value = from_unit(choice, min(max(to_unit(choice, old) + direction * STEP, 0.0), 1.0))
        if isinstance(choice, Integer) and value == old:
            value = min(max(old + direction, choice.low), choice.high)
        if value != old:
            values.append(value)
    return values
