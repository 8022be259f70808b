import numpy as np
import pytest

from archwright.core.choices import Choice, Integer, Real, to_unit
from archwright.core.rng import Streams, stream_seed
from archwright.spaces.space import Space
from archwright.strategies.designs import latin_hypercube
from archwright.testing import spaces_to_survive

COUNT = 12


def made(**arguments):
    return arguments


def design(space, seed=0, count=COUNT):
    streams = Streams(seed)
    return [latin_hypercube(space, streams[number], number, count) for number in range(count)]


def test_each_cell_of_a_number_and_each_option_has_its_share():
    x, n = Real(1e-4, 1.0, log=True), Integer(1, COUNT)
    points = design(Space(made, x=x, n=n, kind=Choice("a", "b", "c"), two=Choice("a", "b")))
    assert sorted(int(to_unit(x, point["x"]) * COUNT) for point in points) == list(range(COUNT))
    assert sorted(point["n"] for point in points) == list(range(1, COUNT + 1))
    for name, options in (("kind", 3), ("two", 2)):
        assert np.bincount([point[name] for point in points]).tolist() == [COUNT // options] * options


def test_options_that_do_not_divide_the_points_have_as_many_up_to_two():
    for seed in range(20):
        points = design(Space(made, kind=Choice(*range(5))), seed)
        assert set(np.bincount([point["kind"] for point in points], minlength=5)) <= {1, 2, 3, 4}


def test_the_design_is_the_search_s_and_not_the_proposal_s():
    space = spaces_to_survive()["conditional"]
    assert design(space, 1) == design(space, 1) != design(space, 2)
    alone = Streams(1)[7]
    assert latin_hypercube(space, alone, 7, COUNT) == design(space, 1)[7]
    assert stream_seed(Streams(1)[3]) == stream_seed(Streams(1)[9]) != stream_seed(Streams(2)[3])
    assert 0 <= stream_seed(np.random.default_rng(0)) < 2**63  # another generator has no key to tell


@pytest.mark.parametrize("name", spaces_to_survive())
def test_every_point_is_an_architecture(name):
    space = spaces_to_survive()[name]
    for point in design(space):
        space.resolve(point)


def test_what_the_space_excludes_gives_way():
    def odd(**arguments):
        return arguments

    odd.excluded = lambda n: "even" if n % 2 == 0 else None
    assert all(point["n"] % 2 for point in design(Space(odd, n=Integer(1, 12))))
