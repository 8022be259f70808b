import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern

from archwright.core.choices import Choice, Integer, Real
from archwright.core.rng import Streams
from archwright.predictors.arc import Arc, matern
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.testing import spaces_to_survive


def made(**arguments):
    return arguments


def test_matern_is_that_of_scikit_learn():
    points = np.linspace(0, 4, 9)[:, None]
    np.testing.assert_allclose(matern(np.abs(points - points.T)), Matern(nu=2.5)(points), rtol=1e-12)


def test_distances_are_those_of_the_paper():
    """Section 3: 0 where neither makes the decision, omega where one does, omega sqrt(2 - 2 cos(pi rho d)) if both."""
    space = Space(made, kind=Choice("skip", {"kind": "conv", "width": Real(0.0, 10.0)}))
    streams = Streams(0)
    drawn = [sample(space, streams[number]) for number in range(30)]
    omega, rho = np.array([0.6, 1.3]), 0.7  # of the kind, of the width
    gram = Arc(space, ard=True)(np.array([*omega, rho]), Arc(space, ard=True).compare(drawn, drawn))
    for row, left in enumerate(drawn):
        for column, right in enumerate(drawn):
            left_width, right_width = (dict(each).get("kind=conv.width") for each in (left, right))
            square = 2 * omega[0] ** 2 * (left["kind"] != right["kind"])
            if left_width is not None and right_width is not None:
                square += omega[1] ** 2 * (2 - 2 * np.cos(np.pi * rho * abs(left_width - right_width) / 10))
            elif left_width is not None or right_width is not None:
                square += omega[1] ** 2
            assert gram[row, column] == pytest.approx(matern(np.sqrt(square)), abs=1e-7)


@pytest.mark.parametrize("ard", [False, True])
@pytest.mark.parametrize("name", spaces_to_survive())
def test_a_kernel_on_every_space(name, ard):
    space, streams = spaces_to_survive()[name], Streams(1)
    kernel, drawn = Arc(space, ard=ard), [sample(spaces_to_survive()[name], streams[number]) for number in range(40)]
    parameters = np.exp(np.log(kernel.bounds).mean(axis=1))
    gram = kernel(parameters, kernel.compare(drawn, drawn))
    np.testing.assert_allclose(np.diag(gram), 1.0)
    np.testing.assert_allclose(gram, gram.T)
    assert np.linalg.eigvalsh(gram).min() > -1e-9


def test_parameters_are_one_radius_and_an_angle_or_a_radius_a_decision():
    numbers = Space(made, x=Integer(1, 4), y=Choice("a", "b"))
    assert [len(Arc(numbers, ard=ard).bounds) for ard in (False, True)] == [2, 3]
    options = Space(made, x=Choice(1, 2), y=Choice("a", "b"))
    assert [len(Arc(options, ard=ard).bounds) for ard in (False, True)] == [1, 2]
