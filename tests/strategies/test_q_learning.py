import pytest

from archwright.core.choices import Choice
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.operators import enumerate_all
from archwright.spaces.space import Space
from archwright.strategies.q_learning import QLearning, Step
from tests.strategies.test_reinforce import improvement


def made(**arguments):
    return arguments


SPACE = Space(made, a=Choice(*range(2)), b=Choice(*range(3)))
LOSSES = {(0, 0): 5.0, (0, 1): 0.0, (0, 2): 4.0, (1, 0): 1.0, (1, 1): 2.0, (1, 2): 3.0}


def answer(architecture):
    return Evaluation(Trial(architecture), {"loss": LOSSES[tuple(value for _, value in architecture)]})


def test_values_are_those_of_value_iteration():
    history = History("min:loss", [answer(architecture) for architecture in enumerate_all(SPACE)])
    learned = QLearning(learning_rate=0.1, replay=4000, shaping=0.0).learned(SPACE, history)
    rewards = {pair: (5.0 - loss) / 5.0 for pair, loss in LOSSES.items()}  # ranks among six
    values = {("a", ()): [0.0, 0.0], ("b", (0,)): [0.0] * 3, ("b", (1,)): [0.0] * 3}
    for _ in range(3):  # Bellman's equation, swept over all states
        for a in range(2):
            values["a", ()][a] = max(values["b", (a,)])
            for b in range(3):
                values["b", (a,)][b] = rewards[a, b]
    for state, expected in values.items():
        assert learned.values[state] == pytest.approx(expected, abs=1e-6)


def test_one_walk_by_hand():
    strategy, values = QLearning(learning_rate=0.1), {}
    steps = (Step(("a", ()), 2, 1), Step(("b", (1,)), 2, 0))
    strategy.shaping = 0.0
    strategy._update(values, steps, 1.0)
    assert values == {("b", (1,)): [pytest.approx(0.55), 0.5], ("a", ()): [0.5, pytest.approx(0.505)]}
    strategy.shaping = 1.0  # half a reward a step; before it is tried, a step is worth half of 0.5, two steps all of it
    values.clear()
    strategy._update(values, steps, 1.0)
    last = 0.25 + 0.1 * (0.5 - 0.25)
    first = 0.5 + 0.1 * (0.5 + last - 0.5)
    assert values == {("b", (1,)): [pytest.approx(last), 0.25], ("a", ()): [0.5, pytest.approx(first)]}


@pytest.mark.parametrize(
    ("count", "epsilon"),
    [(0, 1.0), (1499, 1.0), (1500, 0.9), (1600, 0.8), (1799, 0.7), (1800, 0.6), (2549, 0.2), (2550, 0.1), (9999, 0.1)],
)
def test_epsilon_is_the_schedule_of_the_paper(count, epsilon):
    history = History("min:loss")
    history.spent = count
    assert QLearning(horizon=2700).epsilon(history) == pytest.approx(epsilon)


def test_the_schedule_scales_with_the_horizon_and_counts_what_is_pending():
    history = History("min:loss")
    history.spent = 54
    architecture = next(iter(enumerate_all(SPACE)))
    assert QLearning(horizon=100).epsilon(history) == 1.0
    history.ask(Trial(architecture))
    history.ask(Trial(architecture))
    assert QLearning(horizon=100).epsilon(history) == 0.9


def test_learns_what_is_good():
    assert improvement(QLearning(horizon=90)) < 0.8


def test_refuses_what_makes_no_sense():
    with pytest.raises(ArchwrightError, match="horizon"):
        QLearning(horizon=0)
    with pytest.raises(ArchwrightError, match="shaping"):
        QLearning(shaping=1.5)
