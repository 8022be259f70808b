import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams


def test_what_somebody_else_asked_in_between_loses_nothing():
    space = aw.Space(lambda a: None, a=aw.Choice(*range(4)))
    strategy, history, rng = aw.strategies.Exhaustive(), History("min:loss"), Streams(0)[0]
    assert strategy.propose(space, history, rng).architecture["a"] == 0
    other = aw.Trial(aw.Architecture((("a", 2),)))
    history.append(history.ask(other), aw.Evaluation(other, {"loss": 1.0}))
    named = []
    while (trial := strategy.propose(space, history, rng)) is not None:
        named.append(trial.architecture["a"])
        history.append(history.ask(trial), aw.Evaluation(trial, {"loss": 1.0}))
    assert named == [0, 1, 3]
    assert strategy.propose(space, history, rng) is None
