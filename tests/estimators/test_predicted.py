from dataclasses import replace

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe, rebuildable, remake
from archwright.core.rng import Streams
from archwright.estimators import Predicted, Staged
from archwright.predictors import Calibrated, Gaussian, RandomForest, Warped
from archwright.runtime.store import StoreError
from archwright.testing import check_estimator


class Measured:
    """The second decision matters, and the seed a little; lower fidelities tell something else."""

    metrics = frozenset({"score"})

    def estimate(self, space, trial):
        score = float(trial.architecture["edges[1]"]) + 0.01 * trial.seed
        return aw.Evaluation(trial, {"score": score if trial.fidelity == 1.0 else -score}, cost=1.0)


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201()


def drawn(space, count, seed=0):
    streams = Streams(seed)
    return [aw.spaces.sample(space, streams[number]) for number in range(count)]


def measured(space, count, fidelity=1.0):
    trials = [aw.Trial(architecture, fidelity) for architecture in drawn(space, count)]
    return [Measured().estimate(space, trial) for trial in trials]


def answer(estimator, space, history, trial):
    return estimator.estimate(space, trial, estimator.briefing(space, history, trial))


@pytest.fixture(scope="module")
def run(space, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "done"
    search = aw.search(space, aw.strategies.Random(), Measured(), objectives="max:score")
    list(aw.record(aw.budget(search, evaluations=40), folder))
    return str(folder)


def test_it_predicts_what_the_history_taught(space):
    estimator, history = Predicted(metric="score"), History("max:score", measured(space, 60))
    trials = [aw.Trial(architecture) for architecture in drawn(space, 20, seed=1)]
    answers = [answer(estimator, space, history, trial) for trial in trials]
    truth = [Measured().estimate(space, trial).metrics["score"] for trial in trials]
    assert np.abs(np.array([one.metrics["score"] for one in answers]) - truth).mean() < 0.3
    known = len({evaluation.trial.architecture for evaluation in history})
    assert {one.metrics["score_learnt_from"] for one in answers} == {known}
    assert all(set(one.metrics) == estimator.metrics for one in answers)


def test_it_is_the_calibrated_and_warped_predictor(space):
    evaluations, trial = measured(space, 30), aw.Trial(drawn(space, 1, seed=1)[0], seed=5)
    known = {one.trial.architecture: one.metrics["score"] for one in evaluations}
    model = Calibrated(Warped(RandomForest(10)))
    mean, std = model.fit(space, list(known), np.array(list(known.values())), 5).predict([trial.architecture])
    for given in (RandomForest(10), model):
        found = answer(Predicted(given, "score"), space, History("max:score", evaluations), trial)
        assert (found.metrics["score"], found.metrics["score_std"]) == (mean[0], std[0])


def test_it_fails_while_too_little_is_known(space):
    found = answer(Predicted(metric="score", least=5), space, History("max:score", measured(space, 4)), *trials(space))
    assert found.failure == (
        "score is predicted from at least 5 architectures, and 4 are known; give it runs=[FOLDER], or put it into "
        "Staged(Predicted(), Training(task))"
    )
    assert Predicted().estimate(space, *trials(space)).failure is not None


def trials(space):
    return [aw.Trial(drawn(space, 1, seed=9)[0])]


def test_it_learns_from_measurements_alone(space):
    real = measured(space, 12)
    other = [aw.Trial(architecture) for architecture in drawn(space, 6, seed=2)]
    estimator = Predicted(metric="score", least=2)
    history = History("max:score", real)
    predicted = [answer(estimator, space, history, trial) for trial in other]
    failed = [aw.Evaluation(trial, {"score": 9.0}, failure="no") for trial in other]
    repeated = [replace(real[0], trial=trial, reused=0) for trial in other]
    lower = measured(space, 12, fidelity=0.5)
    spoilt = History("max:score", [*real, *predicted, *failed, *repeated, *lower])
    trial = aw.Trial(other[0].architecture)
    assert estimator.briefing(space, spoilt, trial) == estimator.briefing(space, history, trial)
    assert answer(estimator, space, spoilt, aw.Trial(other[0].architecture, 0.5)).metrics["score"] <= 0.0


def test_several_seeds_are_one_architecture(space):
    (architecture,) = drawn(space, 1)
    several = [Measured().estimate(space, aw.Trial(architecture, seed=seed)) for seed in range(3)]
    briefing = Predicted(metric="score").briefing(space, History("max:score", several), aw.Trial(architecture))
    assert briefing == ((architecture, pytest.approx(np.mean([one.metrics["score"] for one in several]))),)


def test_runs_teach_too(space, run):
    estimator = Predicted(metric="score", runs=(run,))
    found = estimator.estimate(space, *trials(space))
    assert found.failure is None
    history = History("max:score", [])
    assert estimator.scores(space).kendall > 0.7
    assert "Kendall" in str(estimator.scores(space, history))
    short = Predicted(metric="score", runs=(run,), least=1000).estimate(space, *trials(space))
    assert short.failure.endswith("; give it more runs, or put it into Staged(Predicted(), Training(task))")
    with pytest.raises(ArchwrightError, match="searched another space"):
        estimator.estimate(aw.spaces.nasbench201(cells=2), *trials(space))
    with pytest.raises(StoreError, match="there is no run"):
        Predicted(metric="score", runs=("nowhere",)).estimate(space, *trials(space))


def test_it_keeps_the_contract(space, run):
    check_estimator(Predicted(RandomForest(5), "score", (run,)), space)


def test_the_model_is_fitted_again_only_when_something_is_new(space):
    fits = []

    class Counting:
        def fit(self, space, architectures, targets, seed=0):
            fits.append(len(targets))
            return RandomForest(3).fit(space, architectures, targets, seed)

    estimator = Predicted(Calibrated(Counting(), folds=2), "score")
    history = History("max:score", measured(space, 20))
    for trial in (aw.Trial(one) for one in drawn(space, 4, seed=3)):
        answer(estimator, space, history, trial)
    assert len(fits) == 3  # one, and one a fold
    history.append(history.ask(one := aw.Trial(drawn(space, 5, seed=4)[4])), Measured().estimate(space, one))
    answer(estimator, space, history, *trials(space))
    assert len(fits) == 6


def test_a_search_learns_as_it_goes(space):
    estimator = Staged(Predicted(metric="score"), Measured(), by="max:score", keep=0.3)
    search = aw.budget(aw.search(space, aw.strategies.Random(), estimator, objectives="max:score"), evaluations=25)
    real = [evaluation for evaluation in search if not evaluation.rejected]
    after = [one.metrics["score"] for one in real[12:]]
    assert np.mean(after) > np.mean([one.metrics["score"] for one in real[:10]]) + 0.5
    assert all("score_std" not in one.metrics for one in real)


def test_a_stage_goes_on_learning_where_the_dear_one_does_not_say_what_it_measures(space):
    class Quiet:
        def estimate(self, space, trial):
            return Measured().estimate(space, trial)

    estimator = Staged(Predicted(RandomForest(3), "score", least=4), Quiet(), by="max:score", keep=1.0)
    search = aw.budget(aw.search(space, aw.strategies.Random(), estimator, objectives="max:score"), evaluations=9)
    found = [one for one in search if one.reused is None]
    assert [one.metrics.get("cheap_score_learnt_from") for one in found] == [None] * 4 + [4.0, 5.0, 6.0, 7.0, 8.0]


def test_it_is_described_and_made_again():
    estimator = Predicted(Gaussian(most=100), "valid_loss", ("runs/a",), 20)
    assert rebuildable(describe(estimator))
    assert remake(describe(estimator), {"predicted": Predicted, "gaussian": Gaussian}) == estimator


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": "runs/a"}, r"a list of folders, such as \['runs/a'\]"),
        ({"least": 1}, "at least 2 evaluations"),
        ({"metric": "test_accuracy"}, "the test split is scored once"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ArchwrightError, match=message):
        Predicted(**arguments)
