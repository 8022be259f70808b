from dataclasses import replace

import numpy as np
import pytest

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.trial import Evaluation, Trial
from archwright.strategies.scalar import Standings


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
