import math

import numpy as np
import pytest

from archwright.core.choices import BadSpace, Choice, Integer, Real, Repeat, accepts, from_unit, label, to_unit


def test_labels_tell_options_apart():
    assert Choice("a", 3, len, {"op": len, "k": 3}).labels == ("a", "3", "len#2", "len#3")


def test_label_of_an_unnamed_option_is_its_index():
    assert label(object(), 4) == "4"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Choice(), "at least one option"),
        (lambda: Integer(3, 1), "low <= high"),
        (lambda: Real(0.0, math.inf), "finite"),
        (lambda: Integer(0, 8, log=True), "low > 0"),
        (lambda: Repeat(1, times=-1), "at least 0"),
        (lambda: Repeat(1, times=2.5), "whole number"),
        (lambda: Repeat.each([1, 2], times=3), "need as many bodies, not 2"),
        (lambda: Repeat.each([1, 2], times=Integer(1, 3)), "need as many bodies, not 2"),
    ],
)
def test_declarations_that_cannot_be(make, words):
    with pytest.raises(BadSpace, match=words):
        make()


@pytest.mark.parametrize("choice", [Real(-2.0, 5.0), Real(1e-4, 10.0, log=True)])
def test_unit_interval_goes_both_ways(choice):
    for unit in np.linspace(0, 1, 11):
        assert to_unit(choice, from_unit(choice, unit)) == pytest.approx(unit, abs=1e-12)


def test_every_integer_gets_its_equal_share():
    values = [from_unit(Integer(3, 6), unit) for unit in (np.arange(40_000) + 0.5) / 40_000]
    assert [values.count(value) for value in (3, 4, 5, 6)] == [10_000] * 4


def test_log_integers_reach_both_ends_and_favour_small_ones():
    values = [from_unit(Integer(1, 64, log=True), unit) for unit in (np.arange(6400) + 0.5) / 6400]
    assert set(values) == set(range(1, 65))
    assert values.count(1) > 10 * values.count(64)


def test_accepts():
    assert accepts(Choice("a", "b"), 1)
    assert not accepts(Choice("a", "b"), 2)
    assert not accepts(Choice("a", "b"), -1)
    assert accepts(Integer(1, 3), 3)
    assert not accepts(Integer(1, 3), 2.0)
    assert accepts(Real(0, 1), 0.5)
    assert not accepts(Real(0, 1), 1.5)


@pytest.mark.parametrize(
    "choice", [Integer(1, 512, log=True), Integer(64, 1024, log=True), Integer(1, 50), Integer(-3, 3)]
)
def test_a_whole_number_comes_back_from_the_unit_interval(choice):
    for value in range(choice.low, choice.high + 1):
        assert from_unit(choice, to_unit(choice, value)) == value
