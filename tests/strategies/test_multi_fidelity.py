from dataclasses import replace

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Trial
from archwright.strategies.ladder import Ladder
from archwright.strategies.multi_fidelity import enough_for
from archwright.strategies.rungs import is_promotion
from archwright.testing import spaces_to_survive
from tests.strategies.test_rungs import Noisy, architecture, edges, loss_of, note, run


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


class Noting:
    """Notes what a sampler names."""

    def __init__(self, of):
        self.of, self.named = of, set()

    def propose(self, space, history, rng):
        trial = self.of.propose(space, history, rng)
        self.named |= set() if trial is None else {trial.architecture}
        return trial


@pytest.mark.parametrize(
    "strategy",
    [
        aw.strategies.SuccessiveHalving(lowest=1 / 9),
        aw.strategies.Hyperband(lowest=1 / 9),
        aw.strategies.ASHA(lowest=1 / 9),
        aw.strategies.Rising(lowest=1 / 9, evaluations=80),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_a_sampler_that_waits_for_its_answers_is_no_random_search(strategy):
    noting = Noting(aw.strategies.NASH(children=4))
    history = run(replace(strategy, of=noting, enough=5), 200).history
    starts = [e for e in history if not is_promotion(history, e.trial)]
    assert len(starts) > 100
    assert sum(e.trial.architecture in noting.named for e in starts) > 0.9 * len(starts)
    late = starts[len(starts) // 2 :]
    assert sum(e.trial.parent is not None for e in late) > 0.9 * len(late)


def test_a_strategy_that_proposes_nothing_is_refused():
    for outer in (aw.strategies.Hyperband, aw.strategies.ASHA, aw.strategies.Rising, aw.strategies.SuccessiveHalving):
        with pytest.raises(ArchwrightError, match=f"DARTS proposes no architectures.*inside {outer.__name__}"):
            outer(aw.strategies.DARTS())


def test_of_a_repeated_answer_what_was_trained_is_promoted():
    strategy, history, streams = aw.strategies.SuccessiveHalving(lowest=1 / 3), History("min:loss"), Streams(0)
    for number, loss in enumerate((1.0, 2.0, 3.0)):
        note(history, Trial(architecture(number), 1 / 3), metrics={"loss": loss})
    note(history, strategy.propose(edges(), history, streams[3]), metrics={"loss": 1.0})
    twin = note(history, Trial(architecture(7), 1 / 3), metrics={"loss": 2.0}, reused=1)  # in the second bracket
    for number in (8, 9):
        note(history, Trial(architecture(number), 1 / 3), metrics={"loss": 4.0})
    trial = strategy.propose(edges(), history, streams[history.asked])
    assert trial == Trial(architecture(1), 1.0, parent=twin)
    position = note(history, trial, metrics={"loss": 0.5})
    assert strategy.propose(edges(), history, streams[history.asked]).fidelity == 1 / 3  # the bracket is at its end
    ladder = Ladder(strategy.rungs.levels)
    ladder.read(history)
    assert ladder.promotions == {0: 3, twin: position}
    seen = ladder.views[1.0].history
    assert [e.trial.architecture for e in seen] == [architecture(0), architecture(7)]  # as it was asked
