from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.objective import Goal
from archwright.core.trial import Evaluation, Trial
from archwright.curves import Known, LastValue, ParametricMixture, Prediction, SupportVectors
from archwright.estimators import EarlyStopping, Training
from archwright.estimators.course import Course
from archwright.estimators.early_stopping import Standing
from archwright.tasks import Split, Splits, Task
from archwright.testing import check_estimator

QUICK = ParametricMixture(steps=100, burn_in=50)
CURVE = (0.1, 0.3, 0.4, 0.45, 0.5, 0.52, 0.54, 0.55, 0.56, 0.6)


def few():
    splits = aw.tasks.digits().splits
    parts = (Split(split.inputs[:200], split.targets[:200]) for split in (splits.train, splits.valid, splits.test))
    return Splits(*parts, splits.classes)


@pytest.fixture(scope="module")
def task():
    return Task("few-digits", few, aw.tasks.digits().hyperparameters)


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


@pytest.fixture(scope="module")
def architectures(space):
    return [aw.spaces.operators.sample(space, np.random.default_rng(seed)) for seed in range(6)]


@dataclass(frozen=True)
class Scripted:
    """A training whose curve is known."""

    curve: tuple[float, ...] = CURVE
    task: object = field(default_factory=lambda: SimpleNamespace(score="accuracy"))
    asked: list = field(default_factory=list)
    metrics = frozenset({"valid_accuracy"})

    def estimate(self, space, trial):
        return self.train(space, trial)

    def preflight(self, space, trial):
        return {"flops": 7.0, "parameters": 3.0}

    def briefing(self, space, history, trial):
        return "inner"

    def setting(self, fidelity, device):
        raise NotImplementedError

    def train(self, space, trial, course=Course(), briefing=None):
        self.asked.append(briefing)
        for seen in range(1, len(self.curve) + 1):
            ended = [watch(self.curve[:seen], len(self.curve)) for watch in course.watch]
            if any(ended):
                break
        metrics = {"valid_accuracy": self.curve[seen - 1], "valid_loss": 1.0, "epochs": float(seen)}
        return Evaluation(trial, {**metrics, **self.preflight(space, trial)}, self.curve[:seen])


@dataclass(frozen=True)
class Says:
    """An extrapolator that says the next of some predictions, and notes what it was asked."""

    predictions: tuple[Prediction, ...]
    least: int = 0
    asked: list = field(default_factory=list)
    learnt: list = field(default_factory=list)

    def fit(self, known, seed=0):
        self.learnt.append(tuple(known))
        return self

    def predict(self, curve, horizon, numbers=(), seed=0):
        self.asked.append((len(curve), horizon, tuple(numbers), seed))
        return self.predictions[min(len(self.asked), len(self.predictions)) - 1]


def told(best=None, known=()):
    return Standing(best, tuple(known)), "inner"


def asked(of, by, space, architectures, briefing=None, **settings):
    return EarlyStopping(of, by=by, **settings).estimate(space, Trial(architectures[0], seed=3), briefing)


HOPEFUL, HOPELESS = Prediction(0.7, 0.05), Prediction(0.55, 0.02)


def test_a_hopeless_training_ends_with_its_prediction_as_its_score(space, architectures):
    by = Says((HOPEFUL, HOPELESS))
    answer = asked(Scripted(), by, space, architectures, told(0.65), warmup=2, every=3)
    assert [seen for seen, *_ in by.asked] == [2, 5]
    assert answer.curve == CURVE[:5]
    assert answer.metrics == {
        "valid_accuracy": 0.55,
        "predicted_accuracy": 0.55,
        "predicted_std": 0.02,
        "predicted_at": 5.0,
        "stopped": 1.0,
        "valid_loss": 1.0,
        "epochs": 5.0,
        "flops": 7.0,
        "parameters": 3.0,
    }


def test_a_training_that_goes_on_shows_its_first_prediction_beside_the_truth(space, architectures):
    by = Says((HOPEFUL, Prediction(0.66, 0.1)))
    answer = asked(Scripted(), by, space, architectures, told(0.65), warmup=4, every=2)
    assert [(seen, horizon) for seen, horizon, *_ in by.asked] == [(4, 10), (6, 10), (8, 10)]  # not at the end
    assert len({seed for *_, seed in by.asked}) == 3
    assert answer.curve == CURVE
    assert answer.metrics["valid_accuracy"] == 0.6
    assert {name: answer.metrics[name] for name in ("predicted_accuracy", "predicted_at", "stopped")} == {
        "predicted_accuracy": 0.7,
        "predicted_at": 4.0,
        "stopped": 0.0,
    }


@pytest.mark.parametrize(
    ("prediction", "best", "settings", "stops"),
    [
        (Prediction(0.6, 0.1), 0.76, {}, False),  # above with probability 0.0548
        (Prediction(0.6, 0.1), 0.77, {}, True),  # 0.0446
        (Prediction(0.6, 0.1), 0.77, {"threshold": 0.04}, False),
        (Prediction(0.6, 0.1, np.array([0.5] * 94 + [0.9] * 6)), 0.77, {}, False),  # samples count, not the normal
        (Prediction(0.6, 0.1, np.array([0.5] * 96 + [0.9] * 4)), 0.77, {}, True),
        (Prediction(0.6, 0.001), 0.5, {}, False),  # sure to be the best
        (Prediction(0.6, 0.001), 0.5, {"certain": 0.005}, True),
        (Prediction(0.6, 0.006), 0.5, {"certain": 0.005}, False),
        (Prediction(0.1, 0.01), None, {}, False),  # there is nothing to beat
        (Prediction(0.1, 0.001), None, {"certain": 0.005}, True),
    ],
)
def test_the_rule(prediction, best, settings, stops, space, architectures):
    assert EarlyStopping(Scripted(), **settings).ends(prediction, best) is stops
    answer = asked(Scripted(), Says((prediction,)), space, architectures, told(best), **settings)
    assert (answer.metrics["stopped"] == 1.0) is stops


def test_no_prediction_where_there_is_no_time_for_one(space, architectures):
    answer = asked(Scripted(CURVE[:3]), Says((HOPELESS,)), space, architectures, told(0.9), warmup=3)
    assert answer.metrics == {
        **Scripted(CURVE[:3]).train(space, Trial(architectures[0])).metrics,
        "stopped": 0.0,
    }


def test_it_watches_beside_others_and_hands_on_what_is_inside(space, architectures):
    seen, of = [], Scripted()
    estimator = EarlyStopping(of, by=Says((HOPEFUL,)))
    course = Course().and_watch(lambda curve, epochs: seen.append(len(curve)) or len(curve) == 7)
    answer = estimator.train(space, Trial(architectures[0]), course, told())
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert answer.metrics["epochs"] == 7
    assert of.asked == ["inner"]


def test_nested_it_stays_stopped(space, architectures):
    inner = EarlyStopping(Scripted(), by=Says((HOPELESS,)))
    outer = EarlyStopping(inner, by=Says((HOPEFUL,)))
    answer = outer.estimate(space, Trial(architectures[0]), (Standing(0.65), told(0.65)))
    assert answer.metrics["stopped"] == 1.0


def evaluated(architecture, score, length=4, fidelity=1.0, **metrics):
    trial = Trial(architecture, fidelity)
    curve = tuple(np.linspace(0, score, length))
    return Evaluation(trial, {"valid_accuracy": score, "parameters": 5.0, "flops": 9.0, **metrics}, curve)


def test_the_briefing_is_the_best_that_went_to_its_end(space, architectures):
    history = History(
        Goal.of(["valid_accuracy", "parameters <= 10"]),
        [
            evaluated(architectures[0], 0.7),
            evaluated(architectures[1], 0.9, stopped=1.0),  # predicted
            evaluated(architectures[2], 0.95, fidelity=0.5),
            evaluated(architectures[3], 0.96, parameters=11.0),  # breaks the constraint
            replace(evaluated(architectures[4], 0.97), metrics={}, failure="no"),
            replace(evaluated(architectures[0], 0.7), reused=0),
            evaluated(architectures[5], 0.6, stopped=0.0),
        ],
    )
    trial = Trial(architectures[0])
    plain = EarlyStopping(Scripted(), by=LastValue())
    assert plain.briefing(space, history, trial) == (Standing(0.7), "inner")
    assert plain.briefing(space, history, replace(trial, fidelity=0.5))[0] == Standing(0.95)
    assert plain.briefing(space, History("valid_accuracy"), trial)[0] == Standing()
    learning, _ = EarlyStopping(Scripted(), by=Says((HOPEFUL,), least=1)).briefing(space, history, trial)
    assert learning.best == 0.7
    assert [one.architecture for one in learning.known] == [architectures[place] for place in (0, 3, 5)]
    assert learning.known[0] == Known((0.0, *np.linspace(0, 0.7, 4)[1:]), architectures[0], (5.0, 9.0))


def test_what_learns_from_curves_waits_until_there_are_enough(space, architectures):
    by = Says((HOPELESS,), least=2)
    one = Known(CURVE, architectures[1], (3.0, 7.0))
    assert asked(Scripted(), by, space, architectures, told(0.9, [one])).metrics["stopped"] == 0.0
    assert by.learnt == by.asked == []
    assert asked(Scripted(), by, space, architectures, told(0.9, [one, one])).metrics["stopped"] == 1.0
    assert by.learnt == [(one, one)]
    assert by.asked[0][:3] == (5, 10, (3.0, 7.0))


def test_in_a_search_those_that_fall_behind_are_ended(task, space):
    estimator = EarlyStopping(Training(task, epochs=6), by=QUICK, warmup=2, every=2)
    run = aw.budget(
        aw.search(space, aw.strategies.Random(), estimator, objectives="valid_accuracy", seed=1), evaluations=6
    )
    answers = list(run)
    assert all(set(answer.metrics) == estimator.metrics for answer in answers)
    stopped = [answer for answer in answers if answer.metrics["stopped"]]
    assert stopped
    assert not answers[0].metrics["stopped"]
    for answer in stopped:
        assert len(answer.curve) == answer.metrics["epochs"] == answer.metrics["predicted_at"] < 6
        assert answer.metrics["valid_accuracy"] == answer.metrics["predicted_accuracy"]
    for answer in answers:
        if not answer.metrics["stopped"]:
            assert answer.metrics["valid_accuracy"] == answer.curve[-1]
            assert answer.metrics["predicted_at"] == 2
    assert not run.history.best.evaluation.metrics["stopped"]


def same(evaluation):
    return {name: value for name, value in evaluation.metrics.items() if name != "seconds"}, evaluation.curve


def test_a_recorded_run_goes_on_as_it_would_have(task, space, tmp_path):
    estimator = EarlyStopping(
        Training(task, epochs=4), by=SupportVectors(least=3, folds=3, draws=2), warmup=2, threshold=0.4
    )

    def run(folder, evaluations):
        found = aw.search(space, aw.strategies.Random(), estimator, objectives="valid_accuracy", seed=2)
        return list(aw.budget(aw.record(found, folder), evaluations=evaluations))

    whole = run(tmp_path / "whole", 6)
    parts = [*run(tmp_path / "parts", 4), *run(tmp_path / "parts", 6)]
    assert [same(one) for one in parts[-2:]] == [same(one) for one in whole[-2:]]
    assert [one.metrics["stopped"] for one in whole[:3]] == [0.0] * 3
    assert all("predicted_at" in one.metrics for one in whole[3:])


def test_it_keeps_an_estimators_promises(task, space):
    estimator = EarlyStopping(Training(task, epochs=3), by=QUICK, warmup=2)
    check_estimator(estimator, space, architectures=1, fidelities=(0.4, 1.0))


@pytest.mark.parametrize("settings", [{"threshold": 1.0}, {"threshold": -0.1}, {"certain": -1.0}, {"every": 0}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ArchwrightError):
        EarlyStopping(Scripted(), **settings)


def test_by_default_nothing_is_predicted_before_thirty_curves_are_known(space, architectures):
    estimator, trial = EarlyStopping(Scripted()), Trial(architectures[0])
    rng = np.random.default_rng(0)
    ends = rng.uniform(0.3, 0.9, 30)
    known = [Known(tuple(end * np.array(CURVE) / 0.6), architectures[1], (3.0, 7.0)) for end in ends]
    few, enough = (estimator.estimate(space, trial, told(0.9, known[:count])).metrics for count in (29, 30))
    assert "predicted_at" not in few
    assert enough["predicted_accuracy"] == pytest.approx(0.6, abs=0.05)  # the script goes on as all of them do
    assert enough["stopped"] == 1.0


def test_it_needs_a_training():
    with pytest.raises(ArchwrightError, match="takes part in a training"):
        EarlyStopping(LastValue())
