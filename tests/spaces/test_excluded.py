"""Spaces that exclude some of their architectures: what the operators make of it."""

import itertools

import pytest

import archwright as aw
from archwright.core.rng import Streams
from archwright.testing import check_space


class Few:
    """At most two of five switches are on, and at least one is."""

    def __init__(self, on):
        pass

    @staticmethod
    def excluded(on):
        return None if 1 <= sum(on) <= 2 else f"{sum(on)} switches are on"


class Nothing(Few):
    @staticmethod
    def excluded(on):
        return "nothing is allowed"


def switches(factory):
    return aw.Space(factory, on=[aw.Choice(False, True) for _ in range(5)])


def test_the_contract():
    check_space(switches(Few), samples=200)


def test_enumeration_leaves_out_what_is_excluded():
    found = {tuple(value for _, value in item) for item in aw.spaces.enumerate_all(switches(Few))}
    assert found == {bits for bits in itertools.product((0, 1), repeat=5) if 1 <= sum(bits) <= 2}


def test_draws_are_uniform_over_what_is_left():
    space, streams = switches(Few), Streams(0)
    drawn = [sum(value for _, value in aw.spaces.sample(space, streams[number])) for number in range(3000)]
    assert set(drawn) == {1, 2}
    assert drawn.count(1) / 3000 == pytest.approx(5 / 15, abs=0.03)


def test_neighbours_and_mutants_of_a_full_architecture_are_smaller():
    space, streams = switches(Few), Streams(0)
    full = aw.Architecture(tuple((f"on[{index}]", int(index < 2)) for index in range(5)))
    neighbours = aw.spaces.neighbours(space, full)
    assert [sum(value for _, value in item) for item in neighbours] == [1, 1]
    assert {aw.spaces.mutate(space, full, streams[number]) for number in range(50)} == set(neighbours)


def test_crossover_that_finds_no_child_gives_the_left_parent():
    left, right = (aw.Architecture(tuple((f"on[{i}]", int(i < n)) for i in range(5))) for n in (1, 2))
    assert aw.spaces.cross_over(switches(Nothing), left, right, Streams(0)[0]) == left


def test_a_space_that_excludes_everything_says_why():
    with pytest.raises(aw.BadSpace, match=r"excludes all of 1,000 .* because nothing is allowed"):
        aw.spaces.sample(switches(Nothing), Streams(0)[0])
