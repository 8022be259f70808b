from dataclasses import replace

import numpy as np
import pytest

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.trial import Evaluation, Trial
from archwright.strategies import scalar
from archwright.strategies.scalar import Standings, bounded, lessons, scalarised


def answers(count, rng):
    for number in range(count):
        trial = Trial(Architecture((("x", number),)))
        if rng.random() < 0.2:
            yield Evaluation(trial, failure="it broke")
        else:
            yield Evaluation(trial, {"loss": float(rng.integers(8)), "cost": float(rng.integers(8))})


@pytest.mark.parametrize("goal", ["min:loss", ["min:loss", "min:cost"], ["min:loss", "cost <= 5"]])
def test_standing_is_the_share_of_the_others_that_do_not_beat_it(goal):
    history, standings = History(goal), Standings()
    for evaluation in answers(40, np.random.default_rng(0)):
        position = len(history)
        history.append(history.ask(evaluation.trial), evaluation)
        assert standings.append(history, position) == standings[position]
        for index in range(len(history)):
            scored = history.scored(index)
            if scored is None:
                assert standings[index] == 0.0
                continue
            others = [history.scored(other) for other in range(len(history)) if other != index]
            unbeaten = sum(other is None or not other.beats(scored) for other in others)
            assert standings[index] == pytest.approx(unbeaten / len(others) if others else 0.5)


def test_with_one_objective_it_is_the_rank():
    losses = [0.3, 1e9, 0.1, 0.2]
    history, standings = History("min:loss", [Evaluation(Trial(Architecture(())), {"loss": x}) for x in losses]), None
    standings = Standings()
    for position in range(4):
        standings.append(history, position)
    assert [standings[position] for position in range(4)] == pytest.approx([1 / 3, 0.0, 1.0, 2 / 3])


def test_a_repeated_answer_stands_where_the_original_does_and_counts_once():
    first, second = (Evaluation(Trial(Architecture((("x", x),))), {"loss": float(x)}) for x in (1, 2))
    history, standings = (
        History("min:loss", [first, second, replace(first, reused=0), replace(first, reused=0)]),
        Standings(),
    )
    assert [standings.append(history, position) for position in range(4)] == [0.5, 0.0, 1.0, 1.0]
    assert standings[1] == 0.0


def noted(goal, *evaluations):
    return History(goal, [replace(each, trial=Trial(Architecture((("x", n),)))) for n, each in enumerate(evaluations)])


def rejection(**metrics):
    return Evaluation(Trial(Architecture(())), metrics, failure="excluded", rejected=True)


def success(**metrics):
    return Evaluation(Trial(Architecture(())), metrics)


def test_lessons_are_successes_and_rejections_that_are_known_to_be_outside():
    history = noted(
        ["min:loss", "size <= 10", "cost <= 2"],
        rejection(size=15.0),
        success(loss=1.0, size=5.0, cost=1.0),
        rejection(),  # excluded by the space
        rejection(size=5.0, cost=1.0),  # by a cheap estimate
        replace(rejection(size=15.0), reused=0),
        Evaluation(Trial(Architecture(())), failure="it broke"),
        rejection(size=15.0, cost=4.0),
    )
    found = lessons(history)
    assert [scored.position for scored in found] == [0, 1, 6]
    assert [scored.violation for scored in found] == [0.5, 0.0, 1.5]
    assert [scored.losses for scored in found] == [(), (1.0,), ()]


def test_of_many_rejections_the_latest_are_learnt_from_and_all_successes(monkeypatch):
    monkeypatch.setattr(scalar, "MOST_REJECTED", 3)
    answers = [success(loss=1.0, size=1.0) if n % 4 == 0 else rejection(size=20.0) for n in range(16)]
    assert [scored.position for scored in bounded(lessons(noted(["min:loss", "size <= 10"], *answers)))] == [
        *(0, 4, 8, 12),
        *(13, 14, 15),
    ]


@pytest.mark.parametrize("goal", ["min:loss", ["min:loss", "min:cost"]])
def test_what_violates_comes_behind_by_how_much(goal):
    history = noted(
        [*np.atleast_1d(goal), "size <= 10"],
        rejection(size=1e9),
        success(loss=3.0, cost=1.0, size=1.0),
        success(loss=0.0, cost=0.0, size=12.0),
        success(loss=1.0, cost=2.0, size=1.0),
        rejection(size=11.0),
    )
    values = scalarised(lessons(history), np.random.default_rng(0))
    assert values[[1, 3]].max() < values[4] < values[2] < values[0]
    inside = np.ptp(values[[1, 3]])
    assert values[0] <= values[[1, 3]].max() + 1.5 * inside
    alone = scalarised(lessons(noted(history.goal, rejection(size=12.0), rejection(size=11.0))), None)
    assert alone[1] < alone[0]
    assert scalarised([], None).shape == (0,)


def test_a_loss_that_exploded_leaves_its_objective_its_weight():
    rng = np.random.default_rng(0)
    losses, costs = rng.random(60), rng.random(60)
    losses[5] = 1e6
    history = noted(["min:loss", "min:cost"], *(success(loss=a, cost=b) for a, b in zip(losses, costs, strict=True)))
    weights = [np.random.default_rng(seed).dirichlet(np.ones(2))[0] for seed in range(20)]
    heavy = int(np.argmax(weights))  # nearly all of it on the loss
    values = scalarised(history.succeeded, np.random.default_rng(heavy))
    best = np.argsort(values)[:10]
    assert weights[heavy] > 0.9
    assert losses[best].mean() < 0.2
