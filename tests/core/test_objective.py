import pytest

from archwright.core.architecture import Architecture
from archwright.core.history import History, best_of
from archwright.core.objective import BadObjective, Constraint, Goal, Objective, dominates, parse
from archwright.core.trial import Evaluation, Trial


def evaluation(failure=None, fidelity=1.0, **metrics):
    return Evaluation(Trial(Architecture(()), fidelity), metrics, failure=failure)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("valid_accuracy", Objective("valid_accuracy", maximize=True)),
        ("latency_ms", Objective("latency_ms")),
        ("max:score", Objective("score", maximize=True)),
        ("minimize:score", Objective("score")),
        ("parameters <= 1e5", Constraint("parameters", 1e5)),
        ("valid_accuracy>=0.9", Constraint("valid_accuracy", 0.9, at_least=True)),
        ("parameters <= 300_000", Constraint("parameters", 3e5)),
    ],
)
def test_texts(text, meant):
    assert parse(text) == meant
    assert parse(str(meant)) == meant


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("score", "max:score or min:score"),
        ("parameters <= many", "not a number"),
        ("valid_accuracy!", "can't tell"),
        (["parameters <= 3"], "at least one objective"),
        (["valid_loss", "max:valid_loss"], "named twice"),
        ("max:test_accuracy", "use valid_accuracy"),
        (["valid_loss", "test_loss <= 1"], "scored once"),
    ],
)
def test_goals_that_cannot_be(wanted, words):
    with pytest.raises(BadObjective, match=words):
        Goal.of(wanted)


def test_a_metric_that_nobody_measured_names_the_near_ones_and_changes_nothing():
    history = History("valid_accuracy")
    number = history.ask(Trial(Architecture(())))
    with pytest.raises(BadObjective, match="did you mean valid_acuracy"):
        history.append(number, evaluation(valid_acuracy=0.5))
    assert len(history) == 0
    assert list(history.pending) == [number]


def test_dominance():
    assert dominates((1, 2), (1, 3))
    assert not dominates((1, 2), (1, 2))
    assert not dominates((1, 3), (2, 2))


def test_constraints_come_first_then_the_objective():
    goal = ["valid_loss", "parameters <= 100"]
    history = History(goal, [evaluation(valid_loss=0.1, parameters=250), evaluation(valid_loss=0.9, parameters=50)])
    assert history.best.evaluation.metrics["valid_loss"] == 0.9
    assert best_of(history.succeeded).evaluation.metrics["valid_loss"] == 0.9
    assert history.succeeded[0].violation == pytest.approx(1.5)


def test_failures_are_never_best():
    history = History("valid_loss", [evaluation(failure="it fell"), evaluation(valid_loss=3.0)])
    assert history.best.position == 1
    assert len(history.succeeded) == 1
    assert History("valid_loss", [evaluation(failure="it fell")]).best is None


def test_the_incumbent_is_of_the_highest_fidelity():
    history = History("valid_loss", [evaluation(fidelity=0.1, valid_loss=0.1), evaluation(valid_loss=0.5)])
    assert history.best.position == 1


def test_the_front_equals_brute_force():
    import numpy as np

    rng = np.random.default_rng(0)
    for objectives in (1, 2, 3):
        names = [f"m{index}" for index in range(objectives)]
        points = rng.integers(0, 12, size=(60, objectives)).astype(float)
        history = History(
            [f"min:{name}" for name in names],
            [evaluation(**dict(zip(names, point, strict=True))) for point in points],
        )
        wanted = {tuple(p) for p in points if not any((q <= p).all() and (q < p).any() for q in points)}
        front = history.front()
        assert {scored.losses for scored in front} == wanted
        assert len(front) == len(wanted)
