from dataclasses import replace

import numpy as np
import pytest

import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Trial
from archwright.strategies.multi_fidelity import enough_for
from archwright.strategies.rungs import is_promotion
from archwright.testing import spaces_to_survive
from tests.strategies.test_rungs import Noisy, architecture, edges, loss_of, note


def test_enough_for_a_model_is_three_more_than_there_are_decisions():
    spaces = spaces_to_survive()
    assert enough_for(spaces["categorical"]) == 6 + 3
    assert enough_for(spaces["numeric"]) == 3 + 3


class Stubborn:
    """Proposes one and the same, a child of the best it sees."""

    def propose(self, space, history, rng):
        best = history.best
        return Trial(architecture(*[0] * 6), parent=None if best is None else best.position)


class Waiting:
    def propose(self, space, history, rng):
        return None


@pytest.mark.parametrize("of", [Stubborn(), Waiting()])
def test_no_sampler_breaks_the_brackets(of):
    strategy = aw.strategies.Hyperband(of, lowest=1 / 3)
    history = History("min:loss")
    moves = []
    known = {}
    for number in range(60):
        trial = strategy.propose(edges(), history, Streams(0)[number])
        moves.append((trial.fidelity, is_promotion(history, trial)))
        question = trial.architecture, trial.fidelity
        position = note(history, trial, metrics={"loss": loss_of(trial)}, reused=known.get(question))
        known.setdefault(question, position)
    bracket = [(1 / 3, False)] * 3 + [(1.0, True)] + [(1.0, False)] * 2
    assert moves == bracket * 10
    assert len(known) > 55  # what it repeats gives way to something random


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "strategy",
    [
        aw.strategies.SuccessiveHalving(lowest=1 / 3),
        aw.strategies.Hyperband(lowest=1 / 9),
        aw.strategies.ASHA(lowest=1 / 9),
        aw.strategies.Rising(evaluations=60, carried=4),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_whatever_the_order_of_arrival_what_is_remembered_changes_no_proposal(strategy, seed):
    of = aw.strategies.RegularizedEvolution(population=6, sample=3)
    strategy, history, streams = replace(strategy, of=of, enough=4), History("min:loss"), Streams(seed)
    estimator, rng = Noisy(failing=15, rejecting=30), np.random.default_rng(seed)
    for _ in range(150):
        while len(history.pending) < 5:
            trial = strategy.propose(edges(), history, streams[history.asked])
            assert trial == replace(strategy).propose(edges(), history, streams[history.asked])
            history.ask(trial)
        number = list(history.pending)[int(rng.integers(5))]
        history.append(number, estimator.estimate(edges(), history.pending[number]))
