from collections import Counter

import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Choice, Integer, Repeat
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies.pnas import PNAS, Growth


def made(**arguments):
    return arguments


def tower(most=4):
    body = {"op": Choice("a", "b", "c", "d"), "width": Integer(1, 9)}
    return Space(made, layers=Repeat(body, times=Integer(1, most)), head=Choice("x", "y"))


class Additive:
    """Each layer contributes by its own decisions, and longer is better: what a predictor can learn early."""

    def estimate(self, space, trial):
        layers = space.resolve(trial.architecture)["layers"]
        gain = sum({"a": 0.0, "b": 0.2, "c": 0.5, "d": 1.0}[layer["op"]] + layer["width"] / 9 for layer in layers)
        return Evaluation(trial, {"loss": -gain}, cost=1.0)


def history_of(strategy, seed=0, evaluations=40):
    run = aw.budget(aw.search(tower(), strategy, Additive(), objectives="min:loss", seed=seed), evaluations=evaluations)
    for _ in run:
        pass
    return run.history


def fast(**fields):
    return PNAS(**{"beam": 10, "candidates": 60, "members": 2, "width": 16, "epochs": 60} | fields)


def test_levels_follow_each_other_and_each_larger_one_extends_one_of_the_level_before():
    history = history_of(fast())
    asked = [evaluation.trial.architecture for evaluation in history]
    assert [architecture["layers.times"] for architecture in asked] == [1] * 10 + [2] * 10 + [3] * 10 + [4] * 10
    for architecture in asked[10:]:
        times = int(architecture["layers.times"])
        shorter = {
            name: value
            for name, value in architecture
            if name != "layers.times" and not name.startswith(f"layers[{times - 1}]")
        } | {"layers.times": times - 1}
        assert any(shorter == other.as_dict() for other in asked)


def test_it_beats_random_search():
    found = [history_of(fast(), seed).best.losses[0] for seed in range(3)]
    drawn = [history_of(aw.strategies.Random(), seed).best.losses[0] for seed in range(3)]
    assert max(found) < min(drawn)


def test_after_the_last_level_it_goes_on_there():
    history = history_of(fast(beam=5), evaluations=40)
    levels = Counter(evaluation.trial.architecture["layers.times"] for evaluation in history)
    assert levels == {1: 5, 2: 5, 3: 5, 4: 25}


def test_a_level_with_few_architectures_is_left_when_all_are_known():
    space = Space(made, layers=Repeat(Choice("a", "b", "c"), times=Integer(1, 3)))
    history, streams = History("min:loss"), Streams(2)
    for _ in range(3 + 9 + 27):
        trial = fast(beam=30).propose(space, history, streams[history.asked])
        history.append(history.ask(trial), Evaluation(trial, {"loss": float(history.asked)}))
    levels = Counter(evaluation.trial.architecture["layers.times"] for evaluation in history)
    assert levels[1] == 3
    assert levels[2] == 9
    assert levels[3] == 27


def test_decisions_are_averaged_over_the_repetitions_that_make_them():
    growth = Growth(tower())
    decisions = {"layers.times": 2, "layers[0].op": 1, "layers[0].width": 1, "layers[1].op": 3, "layers[1].width": 5}
    vector = growth.vector(aw.Architecture.from_json(decisions | {"head": 1}))
    # times: made, (2 - 1) / 3; op: a, b, c, d; width: made, mean of 0 and 1/2; head: x, y
    np.testing.assert_allclose(vector, [1, 1 / 3, 0, 0.5, 0, 0.5, 1, 0.25, 0, 1])


def test_several_growing_repeats_make_one_ladder():
    growth = Growth(
        Space(made, a=Repeat(Choice(1, 2), times=Integer(0, 2)), b=Repeat(Choice(1, 2), times=Integer(1, 3)))
    )
    assert growth.levels == 5
    start = growth.start(History("min:loss"), Streams(0)[0])
    assert start.as_dict().keys() == {"a.times", "b.times", "b[0]"}
    assert growth.level(growth.longer(start, Streams(0)[1])) == 1


def test_the_papers_own_space_grows():
    space, history, streams = aw.spaces.pnas(), History("min:loss"), Streams(0)
    for _ in range(12):
        trial = fast(beam=3, epochs=2).propose(space, history, streams[history.asked])
        history.append(history.ask(trial), Evaluation(trial, {"loss": float(len(trial.architecture))}))
    assert [evaluation.trial.architecture["blocks.times"] for evaluation in history] == [
        n for n in (1, 2, 3, 4) for _ in "abc"
    ]


def test_where_nothing_grows_it_says_so():
    with pytest.raises(ArchwrightError, match="needs a Repeat whose times is an Integer"):
        PNAS().propose(aw.spaces.nasbench201(), History("min:loss"), Streams(0)[0])


def test_failures_do_not_stop_it():
    history, streams = History("min:loss"), Streams(0)
    for _ in range(8):
        trial = fast(beam=3).propose(tower(), history, streams[history.asked])
        history.append(history.ask(trial), Evaluation(trial, failure="it broke"))
    assert isinstance(fast(beam=3).propose(tower(), history, streams[history.asked]), Trial)


def test_a_shared_length_grows_and_an_argument_called_times_does_not():
    shared = aw.Integer(1, 3)
    space = aw.Space(lambda many, items: None, many=shared, items=aw.Repeat(aw.Choice(1, 2), times=shared))
    assert PNAS().propose(space, History("min:loss"), Streams(0)[0]).architecture["many"] == 1
    named = aw.Space(lambda a, aug: None, a=aw.Choice(1, 2), aug={"times": aw.Integer(1, 3)})
    with pytest.raises(aw.ArchwrightError, match="nothing in this space grows"):
        PNAS().propose(named, History("min:loss"), Streams(0)[0])


def answered(space, strategy, count, answer, goal="min:loss"):
    """A history of so many answers, each what `answer(trial, number)` says."""
    history, streams = History(goal), Streams(0)
    for number in range(count):
        trial = strategy.propose(space, history, streams[number])
        history.append(history.ask(trial), answer(trial, number))
    return history


def levels_of(evaluations):
    return Counter(evaluation.trial.architecture["layers.times"] for evaluation in evaluations)


def short(trial, number):
    return Evaluation(trial, {"loss": float(len(trial.architecture))})


@pytest.mark.parametrize("failing", [0.0, 0.1, 0.3])
def test_it_trains_after_each_beam_of_successes(failing, monkeypatch):
    trained = []
    monkeypatch.setattr(PNAS, "_trained", lambda self, growth, first: trained.append(len(first)) or Constant())

    def answer(trial, number):
        fails = number * 7919 % 100 < 100 * failing
        return Evaluation(trial, failure="it broke") if fails else short(trial, number)

    history = answered(tower(3), fast(), 160, answer)
    assert len(trained) <= len(history.succeeded) / 10


class Constant:
    def predict(self, vectors):
        return np.zeros((1, len(vectors)))


def test_what_is_rejected_takes_no_place_on_its_level():
    def answer(trial, number):
        size = float(sum(value for name, value in trial.architecture if name.endswith("width")))
        kept = size <= 9.0
        return Evaluation(
            trial,
            {"loss": -size, "size": size} if kept else {"size": size},
            failure=None if kept else "x",
            rejected=not kept,
        )

    history = answered(tower(), fast(members=1, epochs=20), 60, answer, ["min:loss", "size <= 9"])
    kept = levels_of(scored.evaluation for scored in history.succeeded)
    assert sum(evaluation.rejected for evaluation in history) > 5
    assert all(kept[level] == 10 for level in (1, 2, 3))


def test_a_level_of_which_all_is_rejected_is_left_and_what_is_longer_is_reached(monkeypatch):
    monkeypatch.setattr("archwright.strategies.pnas.BARREN", 15)

    def too_short(trial, number):
        short_ = trial.architecture["layers.times"] < 3
        return Evaluation(trial, failure="x", rejected=True) if short_ else short(trial, number)

    history = answered(tower(), fast(members=1, epochs=5), 60, too_short)
    assert levels_of(history) == {1: 15, 2: 15, 3: 10, 4: 20}

    def too_long(trial, number):
        long = trial.architecture["layers.times"] > 2
        return Evaluation(trial, failure="x", rejected=True) if long else short(trial, number)

    history = answered(tower(), fast(members=1, epochs=5), 60, too_long)
    assert levels_of(history) == {1: 10, 2: 20, 3: 15, 4: 15}


def test_a_dozen_levels_of_which_all_is_rejected_do_not_end_the_search():
    class Sized(Additive):
        metrics = frozenset({"loss", "size"})

        def preflight(self, space, trial):
            return {"size": float(trial.architecture["layers.times"])}

        def estimate(self, space, trial):
            answer = super().estimate(space, trial)
            return Evaluation(trial, answer.metrics | self.preflight(space, trial), cost=1.0)

    objectives, strategy = ["min:loss", "size <= 2"], fast(members=1, epochs=1, candidates=5)
    run = aw.budget(aw.search(tower(14), strategy, Sized(), objectives=objectives, seed=0), evaluations=60)
    assert sum(not evaluation.rejected for evaluation in run) == 60


def test_a_level_of_which_all_failed_is_made_longer_all_the_same():
    def answer(trial, number):
        broken = trial.architecture["layers.times"] < 3
        return Evaluation(trial, failure="it broke") if broken else short(trial, number)

    history = answered(tower(), fast(members=1, epochs=5), 40, answer)
    assert levels_of(history) == {1: 10, 2: 10, 3: 10, 4: 10}
