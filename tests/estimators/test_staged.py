import pickle

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe
from archwright.estimators import Mean, Staged, Training
from archwright.estimators.staged import _ordinal
from archwright.registry import rebuild
from archwright.testing import check_estimator


class Cheap:
    """The first decision, from which it can't answer where that is 4."""

    metrics = frozenset({"synflow", "parameters"})

    def estimate(self, space, trial):
        first = float(trial.architecture["edges[0]"])
        if first == 4:
            return aw.Evaluation(trial, cost=1.0, failure="no idea")
        return aw.Evaluation(trial, {"synflow": first + trial.seed / 1000, "parameters": 7.0}, cost=1.0)

    def preflight(self, space, trial):
        return {"parameters": 7.0}


class Dear:
    metrics = frozenset({"valid_accuracy", "epochs"})

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"valid_accuracy": 0.5, "epochs": 12.0}, (0.4, 0.5), cost=100.0)

    def preflight(self, space, trial):
        return {"flops": 8.0}


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


def architecture(*values):
    return aw.Architecture(tuple((f"edges[{place}]", value) for place, value in enumerate(values)))


def trial(first, seed=0, fidelity=1.0):
    return aw.Trial(architecture(first, 0, 0, 0, 0, seed % 5), fidelity, seed)


def asked(estimator, space, history, trial):
    found = estimator.estimate(space, trial, estimator.briefing(space, history, trial))
    return history.append(history.ask(trial), found)


def history_of(scores):
    history = History("valid_accuracy")
    for number, score in enumerate(scores):
        digits = [number // 5**place % 5 for place in range(6)]
        one = aw.Trial(architecture(*digits))
        history.append(history.ask(one), aw.Evaluation(one, {"synflow": score}, failure="left out", rejected=True))
    return history


def test_the_best_share_goes_on(space):
    rng = np.random.default_rng(0)
    scores = rng.permutation(99).astype(float) / 99 * 3
    history, estimator = history_of(scores), Staged(Cheap(), Dear())
    for first in range(4):
        found = estimator.estimate(space, trial(first), estimator.briefing(space, history, trial(first)))
        rank = 1 + sum(score > first for score in scores)
        assert found.rejected == (rank > 10)
        if found.rejected:
            assert found.failure == f"its synflow ranks {_ordinal(rank)} of 100; the best 10 % go on"
            assert (found.metrics, found.cost) == ({"synflow": float(first), "parameters": 7.0}, 1.0)
        else:
            assert set(found.metrics) == {"synflow", "parameters", "valid_accuracy", "epochs"}
            assert (found.cost, found.curve) == (101.0, (0.4, 0.5))


def test_a_smaller_one_may_be_the_better(space):
    history = history_of(np.arange(20.0))
    for by, go_on in (("min:synflow", [0, 3]), ("max:synflow", [])):
        estimator = Staged(Cheap(), Dear(), by=by, keep=0.2)
        answers = [
            estimator.estimate(space, trial(first), estimator.briefing(space, history, trial(first)))
            for first in (0, 3)
        ]
        assert [one.trial.architecture["edges[0]"] for one in answers if not one.rejected] == go_on


def test_the_first_all_go_on(space):
    history, estimator = History("valid_accuracy"), Staged(Cheap(), Dear(), first=4)
    answers = [asked(estimator, space, history, trial(0, seed)) for seed in range(5, 0, -1)]  # ever worse
    assert [one.rejected for one in answers] == [False] * 4 + [True]


def test_what_the_cheap_one_can_not_judge_the_dear_one_does(space):
    history, estimator = history_of(np.arange(50.0)), Staged(Cheap(), Dear())
    found = asked(estimator, space, history, trial(4))
    assert found.failure is None
    assert found.cost == 101.0
    assert "synflow" not in found.metrics


@pytest.mark.parametrize("error", [ArchwrightError("naswot: no rectifiers"), ValueError("odd"), SystemExit(1)])
def test_where_the_cheap_one_raises_the_dear_one_answers(space, error):
    class Raises(Cheap):
        def estimate(self, space, trial):
            raise error

    history, estimator = history_of(np.arange(50.0)), Staged(Raises(), Dear())
    found = asked(estimator, space, history, trial(0))
    assert (found.failure, found.metrics) == (None, {"valid_accuracy": 0.5, "epochs": 12.0})
    assert 100.0 <= found.cost < 101.0


def test_what_the_dear_one_raises_is_the_reason(space):
    class Raises(Dear):
        def estimate(self, space, trial):
            raise ArchwrightError("out of clay")

    search = aw.search(space, aw.strategies.Random(), Staged(Cheap(), Raises()), objectives="valid_accuracy")
    answers = list(aw.budget(search, evaluations=12))
    assert {one.failure for one in answers if not one.rejected} == {"out of clay"}
    assert all(one.cost >= 1.0 for one in answers)
    judged = [one for one in answers if "synflow" in one.metrics]
    assert {tuple(one.metrics) for one in judged} == {("synflow", "parameters")}
    assert any(one.rejected for one in judged)  # judgements of what failed count: after 10 of them some are left out


def test_what_went_on_once_goes_on_at_a_higher_fidelity(space):
    history, estimator = History("valid_accuracy"), Staged(Cheap(), Dear(), first=1)
    assert not asked(estimator, space, history, trial(1, fidelity=0.5)).rejected
    for number in range(30):
        one = trial(3, seed=number + 1)
        history.append(history.ask(one), aw.Evaluation(one, {"synflow": 3.0}, failure="out", rejected=True))
    assert not asked(estimator, space, history, trial(1)).rejected
    assert asked(estimator, space, history, trial(2)).rejected


def test_scores_of_one_fidelity_are_compared(space):
    history, estimator = History("valid_accuracy"), Staged(Cheap(), Dear(), first=1, keep=0.5)
    for fidelity, value in ((0.5, 0.0), (1.0, 30.0)):  # at full fidelity all have the higher scores
        for number in range(5):
            one = trial(3, number, fidelity)
            rejection = aw.Evaluation(one, {"synflow": value + number / 10}, failure="out", rejected=True)
            history.append(history.ask(one), rejection)
    trials = [trial(2, fidelity=fidelity) for fidelity in (0.25, 0.5, 1.0)]
    found = [estimator.estimate(space, one, estimator.briefing(space, history, one)) for one in trials]
    assert [one.rejected for one in found] == [False, False, True]
    assert found[-1].failure == "its synflow ranks 6th of 6; the best 50 % go on"


@pytest.mark.parametrize("value", [None, np.nan])
def test_where_the_cheap_one_has_no_value_the_dear_one_answers(space, value):
    class Partly(Cheap):
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"parameters": 7.0} | ({} if value is None else {"synflow": value}), cost=1.0)

    history, estimator = history_of(np.arange(50.0)), Staged(Partly(), Dear(), by="min:synflow")
    found = asked(estimator, space, history, trial(0))
    assert (found.failure, found.cost, found.metrics["parameters"]) == (None, 101.0, 7.0)
    assert estimator.briefing(space, history, trial(0))[0] == tuple(np.arange(50.0))


def test_the_estimate_has_a_name_of_its_own_where_the_dear_one_does_not_say_what_it_measures(space):
    class Quiet:
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"valid_accuracy": 0.5})

    estimator, history = Staged(Short(), Quiet(), by="valid_accuracy"), History("valid_accuracy")
    found = asked(estimator, space, history, trial(0))
    assert (found.metrics["cheap_valid_accuracy"], found.metrics["valid_accuracy"]) == (0.3, 0.5)
    assert "valid_accuracy_std" not in found.metrics
    assert estimator.briefing(space, history, trial(1))[0] == (-0.3,)


class Short:
    metrics = frozenset({"valid_accuracy", "valid_accuracy_std", "valid_loss", "epochs"})

    def estimate(self, space, trial):
        metrics = {"valid_accuracy": 0.3, "valid_accuracy_std": 0.1, "valid_loss": 2.0, "epochs": 1.0}
        return aw.Evaluation(trial, metrics, cost=1.0)


def test_what_both_measure_is_told_apart_and_epochs_are_added_up(space):
    estimator = Staged(Short(), Dear(), by="valid_accuracy")
    history = History("valid_accuracy")
    found = asked(estimator, space, history, trial(0))
    assert found.metrics == {
        "cheap_valid_accuracy": 0.3,
        "cheap_valid_accuracy_std": 0.1,
        "valid_loss": 2.0,
        "valid_accuracy": 0.5,
        "epochs": 13.0,
    }
    assert estimator.metrics == set(found.metrics)
    assert estimator.briefing(space, history, trial(1))[0] == (-0.3,)


def test_stages_of_stages(space):
    inner = Staged(Cheap(), Short(), first=1)
    estimator = Staged(inner, Dear(), by="valid_accuracy", first=1)
    history = history_of(np.arange(30.0))
    found = estimator.estimate(space, trial(1), estimator.briefing(space, history, trial(1)))
    assert found.rejected
    assert "its synflow ranks 29th of 31" in found.failure


def test_stages_whose_estimates_would_have_one_name_are_refused():
    inner = Staged(Short(), Dear(), by="valid_accuracy")
    for stages in ((inner, Dear()), (Short(), inner)):
        with pytest.raises(ArchwrightError, match="both estimates would be called cheap_valid_accuracy"):
            Staged(*stages, by="valid_accuracy")


def test_in_a_search_what_is_left_out_is_no_evaluation_of_the_budget(space):
    estimator = Staged(Cheap(), Dear(), keep=0.25)
    run = aw.budget(aw.search(space, aw.strategies.Random(), estimator, objectives="valid_accuracy"), evaluations=30)
    found = list(run)
    assert run.history.spent == 30
    assert sum(one.rejected for one in found) > 20
    assert {one.cost for one in found if one.reused is None} == {1.0, 101.0}


def test_preflight_and_files_of_both(space, tmp_path):
    assert Staged(Cheap(), Dear()).preflight(space, trial(0)) == {"parameters": 7.0, "flops": 8.0}
    task = aw.tasks.digits()
    estimator = Staged(Training(task, 1), Mean(Training(task, 2)), by="valid_accuracy").stored(str(tmp_path))
    assert estimator.cheap.checkpoints == estimator.dear.of.checkpoints == str(tmp_path / "checkpoints")
    assert estimator.task is task


def test_it_keeps_the_contract(space):
    task = aw.tasks.digits()
    _ = task.splits
    check_estimator(Staged(Training(task, 1), Training(task, 2), by="valid_accuracy"), space, architectures=1)


def test_it_is_described_and_made_again():
    estimator = Staged(Mean(Training(aw.tasks.digits())), Training(aw.tasks.digits()), "min:valid_loss", 0.2, 5)
    again = rebuild("estimators", describe(estimator))
    assert describe(again) == describe(estimator)
    assert describe(pickle.loads(pickle.dumps(estimator))) == describe(estimator)
    assert isinstance(again, Staged)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "max:synflo"}, "did you mean synflow"),
        ({"by": "max:test_accuracy"}, "test split"),
        ({"keep": 0.0}, "share of trials"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ArchwrightError, match=message):
        Staged(Cheap(), Dear(), **arguments)


def test_ordinals():
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111)
    words = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd", "111th"]
    assert [_ordinal(number) for number in numbers] == words
