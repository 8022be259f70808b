"""The operators against brute force: what they count, reach and keep."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archwright.core.architecture import Architecture
from archwright.core.choices import BadSpace, Choice, Integer, Real, Repeat
from archwright.core.rng import Streams
from archwright.spaces import operators
from archwright.spaces.encodings import OneHot
from archwright.spaces.space import Space


def factory(**arguments):
    return arguments


@st.composite
def trees(draw, depth=3, pool=None):
    """Random declarations: nested, conditional, repeated, with shared objects."""
    pool = [] if pool is None else pool
    kinds = ["choice", "integer", "constant"] + (["dict", "list", "repeat", "each", "nested"] if depth else [])
    kind = draw(st.sampled_from(kinds + (["shared"] if pool else [])))
    if kind == "shared":
        return draw(st.sampled_from(pool))
    if kind == "constant":
        return draw(st.integers(0, 3))
    if kind == "choice":
        made = Choice(*range(draw(st.integers(1, 3))))
    elif kind == "integer":
        low = draw(st.integers(0, 2))
        made = Integer(low, low + draw(st.integers(0, 2)))
    elif kind == "nested":
        made = Choice(*[draw(trees(depth - 1, pool)) for _ in range(draw(st.integers(1, 3)))])
    elif kind == "repeat":
        made = Repeat(
            draw(trees(depth - 1, pool)), times=draw(st.sampled_from([0, 1, 2, Integer(0, 2), Integer(1, 2)]))
        )
    elif kind == "each":
        bodies = [draw(trees(depth - 1, pool)) for _ in range(2)]
        made = Repeat.each(bodies, times=draw(st.sampled_from([1, 2, Integer(0, 2)])))
    elif kind == "dict":
        return {name: draw(trees(depth - 1, pool)) for name in "ab"[: draw(st.integers(1, 2))]}
    else:
        return [draw(trees(depth - 1, pool)) for _ in range(draw(st.integers(1, 2)))]
    pool.append(made)
    return made


def count_by_walking(space, limit=4000):
    """Every architecture by depth-first search over prefixes: independent of both `size` and `enumerate_all`."""
    found, stack = set(), [()]
    while stack and len(found) <= limit:
        prefix = stack.pop()
        ahead, beyond = iter(prefix), []

        def decide(name, choice, ahead=ahead, beyond=beyond):
            is_choice = isinstance(choice, Choice)
            values = range(len(choice.options)) if is_choice else range(choice.low, choice.high + 1)
            value = next(ahead, None)
            if value is None:
                beyond.append(values)
                return values[0]
            return value

        architecture = operators.trace(space, decide)
        if beyond:
            stack += [(*prefix, value) for value in beyond[0]]
        else:
            found.add(architecture)
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tree=trees())
def test_size_and_enumeration_equal_brute_force(tree):
    space = Space(factory, tree=tree)
    found = count_by_walking(space)
    if len(found) <= 4000:
        everything = list(operators.enumerate_all(space))
        assert set(everything) == found
        assert len(everything) == len(found) == operators.size(space)


def test_a_shared_object_is_decided_once_and_a_repetition_anew():
    shared, depth = Choice("a", "b"), Integer(1, 3)
    space = Space(factory, one=shared, two=[shared], x=Repeat(Choice(1, 2), depth), y=Repeat({"s": shared}, depth))
    assert operators.size(space) == 2 * (2 + 4 + 8)
    arguments = space.resolve(next(operators.enumerate_all(space)))
    assert arguments["one"] == arguments["two"][0]
    local = Choice("p", "q")
    assert operators.size(Space(factory, body=Repeat([local, local], times=3))) == 8


def test_the_size_of_large_spaces_is_exact():
    space = Space(factory, ops=[[Choice(*range(13)) for _ in range(10)] for _ in range(2)])
    assert operators.size(space) == 13**20
    chain = Space(factory, layers=Repeat(Choice({"k": Choice(1, 3, 5), "f": Choice(1, 2)}, "pool"), Integer(1, 20)))
    assert operators.size(chain) == sum(7**depth for depth in range(1, 21))


def test_a_real_makes_a_space_infinite():
    space = Space(factory, x=Real(0, 1), y=Choice(1, 2))
    assert operators.size(space) == math.inf
    with pytest.raises(BadSpace, match="no end"):
        list(operators.enumerate_all(space))
    assert operators.size(Space(factory, x=Real(1, 1), y=Choice(1, 2))) == 2


def test_samples_are_uniform_over_each_choice():
    space = Space(factory, a=Choice(*range(4)), b=Integer(1, 5))
    streams = Streams(1)
    drawn = [operators.sample(space, streams[number]).as_dict() for number in range(8000)]
    for name, options in (("a", 4), ("b", 5)):
        counts = np.array(list(Counter(decisions[name] for decisions in drawn).values()))
        expected = 8000 / options
        assert len(counts) == options
        assert ((counts - expected) ** 2 / expected).sum() < 25  # chi-squared, far beyond the 99.9 % point


def test_mutation_reaches_every_neighbour_and_nothing_else():
    space = Space(factory, kind=Choice({"k": Choice(1, 3, 5)}, "pool"), n=Integer(1, 3))
    start = next(a for a in operators.enumerate_all(space) if a.as_dict().get("n") == 2 and len(a) == 3)
    streams = Streams(0)
    reached = {operators.mutate(space, start, streams[number]) for number in range(500)}
    one_away = set()
    for other in operators.enumerate_all(space):
        kept = dict(start.decisions)
        changed = [name for name, value in other if name in kept and kept[name] != value]
        if len(changed) == 1:
            one_away.add(other)
    assert reached == one_away


def test_crossover_takes_every_decision_from_a_parent():
    space = Space(factory, a=[Choice(*range(9)) for _ in range(8)])
    streams = Streams(2)
    for number in range(100):
        left, right = operators.sample(space, streams[3 * number]), operators.sample(space, streams[3 * number + 1])
        child = operators.cross_over(space, left, right, streams[3 * number + 2])
        assert all(value in (left[name], right[name]) for name, value in child)


def test_neighbours_of_a_categorical_space_are_all_at_distance_one():
    space = Space(factory, a=[Choice(*range(5)) for _ in range(6)])
    start = operators.sample(space, Streams(0)[0])
    near = operators.neighbours(space, start)
    assert len(near) == len(set(near)) == 24
    assert all(sum(a != b for a, b in zip(start, other, strict=True)) == 1 for other in near)


def test_numbers_move_a_tenth_of_their_range_and_stay_inside():
    space = Space(factory, x=Real(0.0, 10.0), n=Integer(1, 3), big=Integer(0, 100))
    near = operators.neighbours(space, Architecture((("x", 0.0), ("n", 1), ("big", 50))))
    moved = {(name, value) for other in near for name, value in other} - {("x", 0.0), ("n", 1), ("big", 50)}
    assert moved == {("x", 1.0), ("n", 2), ("big", 40), ("big", 60)}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(tree=trees(), seed=st.integers(0, 5))
def test_each_move_leads_to_a_neighbour_of_its_own(tree, seed):
    space = Space(factory, tree=tree, x=Real(0.0, 1.0))
    start = operators.sample(space, Streams(seed)[0])
    moves, near = operators.moves(space, start), operators.neighbours(space, start)
    assert near == [operators.with_decision(space, start, *move) for move in moves]
    assert len(set(near) - {start}) == len(moves)
    assert [operators.move_to(space, start, other) for other in near] == moves


def test_a_walk_is_taken_only_for_moves_that_may_open_decisions(monkeypatch):
    walks, walk = [], Space.walk
    monkeypatch.setattr(Space, "walk", lambda space, decide: walks.append(1) or walk(space, decide))
    space = Space(factory, a=[Choice(*range(20)) for _ in range(50)], kind=Choice({"k": Choice(1, 3, 5)}, "pool"))
    start = operators.sample(space, Streams(0)[0])
    assert len(operators.neighbours(space, start)) == 50 * 19 + 1 + 2 * (start["kind"] == 0)
    assert len(walks) <= 3  # the draw, the reading, and the one for `kind`


def test_what_is_no_neighbour_is_reached_by_no_move():
    space = Space(factory, kind=Choice({"k": Choice(1, 3, 5)}, "pool"), n=Integer(1, 3))
    start = Architecture((("kind", 1), ("n", 1)))
    assert operators.move_to(space, start, Architecture((("kind", 0), ("kind=0.k", 0), ("n", 1)))) == ("kind", 0)
    for decisions in (
        start.decisions,
        (("kind", 0), ("kind=0.k", 1), ("n", 1)),
        (("kind", 0), ("kind=0.k", 0), ("n", 2)),
        (("kind", 1), ("n", 3)),
    ):
        assert operators.move_to(space, start, Architecture(decisions)) is None


def _odd(**values):
    return "its sum is even" if sum(values.values()) % 2 == 0 else None


def test_moves_are_drawn_uniformly_among_those_that_are_not_excluded():
    def picky(**values):
        return values

    picky.excluded = _odd
    space = Space(picky, a=Choice(*range(4)), b=Choice(*range(3)))
    start, streams = Architecture((("a", 1), ("b", 0))), Streams(0)
    moves = operators.moves(space, start)
    drawn = Counter(operators.moved(space, start, moves, streams[number]) for number in range(3000))
    assert set(drawn) == set(operators.neighbours(space, start))
    assert len(drawn) < len(moves)
    assert all(count == pytest.approx(3000 / len(drawn), abs=110) for count in drawn.values())  # 4 deviations
    assert operators.moved(space, start, [("a", 0), ("a", 2)], streams[0]) is None


def test_one_hot_encoding():
    shared = Choice("a", "b")
    space = Space(
        factory, s=shared, kind=Choice({"k": Choice(1, 3), "s": shared}, "pool"), lr=Real(0.1, 10.0, log=True)
    )
    encode = OneHot(space)
    assert list(encode.slots) == ["s", "kind", "kind=0.k", "lr"]
    assert encode.width == 2 + 2 + 2 + 2
    vectors = {tuple(encode(architecture)) for architecture in _grid(space)}
    assert len(vectors) == 2 * 3
    inactive = encode(Architecture((("s", 0), ("kind", 1), ("lr", 1.0))))
    assert inactive.tolist() == [1, 0, 0, 1, 0, 0, 1.0, 0.5]


def _grid(space):
    streams = Streams(0)
    for number in range(200):
        drawn = operators.sample(space, streams[number])
        yield Architecture(tuple((name, 1.0 if name == "lr" else value) for name, value in drawn))


def test_deep_and_wide_spaces_are_counted_without_recursing_over_their_width():
    wide = Space(factory, **{f"a{index}": [Choice(1, 2) for _ in range(30)] for index in range(30)})
    assert operators.size(wide) == 2**900
    shared = Choice(1, 2)
    long = Space(factory, s=shared, layers=Repeat([shared, Choice(1, 2, 3)], times=200))
    assert operators.size(long) == 2 * 3**200


def test_mutate_each_changes_every_decision_at_its_rate():
    space = Space(factory, edges=[Choice(*range(4)) for _ in range(5)], n=Integer(1, 9), one=Choice("only"))
    streams = Streams(0)
    parent = operators.sample(space, streams[0])
    changed = Counter()
    for number in range(1, 4001):
        mutant = operators.mutate_each(space, parent, 0.3, streams[number])
        changed.update(name for (name, old), (_, new) in zip(parent, mutant, strict=True) if old != new)
    rates = [changed[name] / 4000 for name, _ in parent]
    assert rates == pytest.approx([0.3] * 6 + [0.0], abs=0.03)


def test_crossover_takes_a_share_of_the_right_parent_by_decision_or_by_stage():
    space = Space(factory, a={"x": Choice(0, 1), "y": Choice(0, 1)}, b=[[Choice(0, 1), Choice(0, 1)] for _ in range(2)])
    names = ["a.x", "a.y", "b[0][0]", "b[0][1]", "b[1][0]", "b[1][1]"]
    left, right = (Architecture(tuple((name, value) for name in names)) for value in (0, 1))
    streams = Streams(0)
    for stages in (False, True):
        children = [
            [value for _, value in operators.cross_over(space, left, right, streams[n], share=0.3, stages=stages)]
            for n in range(3000)
        ]
        assert np.mean(children, axis=0) == pytest.approx([0.3] * 6, abs=0.03)
        together = np.mean([child[0::2] == child[1::2] for child in children])
        assert together == (1.0 if stages else pytest.approx(0.58**3, abs=0.03))
