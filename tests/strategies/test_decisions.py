import numpy as np
import pytest

from archwright.core.choices import Choice, Integer, Real, to_unit
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.strategies.decisions import BINS, Decision, decisions, drawn, option_of, options_of, picked, value_of
from archwright.testing import spaces_to_survive


def made(**arguments):
    return arguments


@pytest.mark.parametrize(
    ("choice", "options"),
    [(Choice("a", "b", "c"), 3), (Integer(3, 12), 10), (Integer(5, 5), 1), (Integer(0, 99), BINS), (Real(2.0, 2.0), 1)],
)
def test_how_many_options(choice, options):
    assert options_of(choice) == options


@pytest.mark.parametrize("whole", [Integer(-3, 4), Integer(0, 99), Integer(1, 64, log=True), Integer(50, 2500)])
def test_options_part_the_values_of_an_integer(whole):
    options = [option_of(whole, value) for value in range(whole.low, whole.high + 1)]
    assert options == sorted(options)
    assert set(options) == set(range(options_of(whole)))


def test_a_tenth_of_the_values_an_option():
    assert [option_of(Integer(0, 99), value) for value in range(100)] == [value // 10 for value in range(100)]


@pytest.mark.parametrize(
    "choice", [Choice(*"abcd"), Integer(1, 64, log=True), Integer(0, 7), Real(-1.0, 1.0), Real(1e-5, 1.0, log=True)]
)
def test_values_belong_to_their_option(choice):
    rng = np.random.default_rng(0)
    for option in range(options_of(choice)):
        assert {option_of(choice, value_of(choice, option, rng)) for _ in range(50)} == {option}


def test_values_inside_a_bin_are_uniform():
    rng = np.random.default_rng(0)
    units = [to_unit(Real(1e-4, 1.0, log=True), value_of(Real(1e-4, 1.0, log=True), 3, rng)) for _ in range(2000)]
    assert np.mean(units) == pytest.approx(0.35, abs=0.003)
    values = [value_of(Integer(0, 99), 4, rng) for _ in range(2000)]
    assert set(values) == set(range(40, 50))


@pytest.mark.parametrize("name", spaces_to_survive())
def test_picking_what_was_decided_gives_it_again(name):
    space, rng = spaces_to_survive()[name], np.random.default_rng(1)
    for _ in range(20):
        taken = decisions(space, sample(space, rng))
        known = {decision.name: decision for decision in taken}
        again = picked(space, lambda at, options, known=known: known[at].option, rng)
        assert decisions(space, again) == taken


def test_a_decision_says_its_place_and_option():
    space = Space(made, n=Integer(1, 3), kind=Choice({"size": Choice(1, 2)}, "none"))
    picks = iter([2, 0, 1])
    architecture = picked(space, lambda *_: next(picks), np.random.default_rng(0))
    assert decisions(space, architecture) == (
        Decision("n", 3, 2),
        Decision("kind", 2, 0),
        Decision("kind=0.size", 2, 1),
    )


class Odd:
    def __init__(self, first, second):
        pass

    @staticmethod
    def excluded(first, second):
        return "it is even" if (first + second) % 2 == 0 else None


def test_walks_again_what_the_space_excludes():
    space, rng = Space(Odd, first=Choice(0, 1), second=Choice(0, 1)), np.random.default_rng(0)
    for _ in range(20):
        architecture = drawn(space, lambda: lambda _, options: int(rng.random() * options), rng)
        assert space.excluded(architecture) is None
    assert space.excluded(drawn(space, lambda: lambda *_: 0, rng)) is not None
