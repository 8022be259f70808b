import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.objective import Goal, parse
from archwright.core.trial import Evaluation, Trial
from archwright.curves import Known, LastValue, ParametricMixture, Prediction, SupportVectors
from archwright.estimators import EarlyStopping, Staged, Training
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
    return Standing(rivals={} if best is None else {(): best}, known=tuple(known)), "inner"


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
    answer = outer.estimate(space, Trial(architectures[0]), (told(0.65)[0], told(0.65)))
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
    bounded = (parse("parameters <= 10"),)
    assert plain.briefing(space, history, trial) == (Standing(bounded, {(): 0.7}), "inner")
    assert plain.briefing(space, history, replace(trial, fidelity=0.5))[0] == Standing(bounded, {(): 0.95})
    assert plain.briefing(space, History("valid_accuracy"), trial)[0] == Standing()
    learning, _ = EarlyStopping(Scripted(), by=Says((HOPEFUL,), least=1)).briefing(space, history, trial)
    assert learning == Standing(bounded, {(): 0.7}, tuple(history[position] for position in (0, 3, 6)))


def test_what_learns_from_curves_waits_until_there_are_enough(space, architectures):
    by = Says((HOPELESS,), least=2)
    one = Scripted().train(space, Trial(architectures[1]))
    assert asked(Scripted(), by, space, architectures, told(0.9, [one])).metrics["stopped"] == 0.0
    assert by.learnt == by.asked == []
    assert asked(Scripted(), by, space, architectures, told(0.9, [one, one])).metrics["stopped"] == 1.0
    assert by.learnt == [(Known(CURVE, architectures[1], (3.0, 7.0)),) * 2]
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
    known = [Scripted(tuple(end * np.array(CURVE) / 0.6)).estimate(space, Trial(architectures[1])) for end in ends]
    few, enough = (estimator.estimate(space, trial, told(0.9, known[:count])).metrics for count in (29, 30))
    assert "predicted_at" not in few
    assert enough["predicted_accuracy"] == pytest.approx(0.6, abs=0.05)  # the script goes on as all of them do
    assert enough["stopped"] == 1.0


@dataclass(frozen=True)
class Unweighed(Scripted):
    """A training that knows nothing of its networks."""

    def preflight(self, space, trial):
        return {}


@dataclass(frozen=True)
class Cheap:
    """Measures what the training doesn't."""

    metrics = frozenset({"synflow", "parameters", "flops"})

    def estimate(self, space, trial):
        return Evaluation(trial, {"synflow": 1.0, "parameters": 3.0, "flops": 7.0})


def searched(space, estimator, objectives, evaluations):
    run = aw.search(space, aw.strategies.Random(), estimator, objectives=objectives)
    list(aw.budget(run, evaluations=evaluations))
    return run.history


def test_an_extrapolator_is_told_only_what_the_training_tells_of_itself(space):
    by = SupportVectors(least=5, draws=2)
    found = searched(space, Staged(Cheap(), EarlyStopping(Unweighed(), by=by), keep=1.0), "valid_accuracy", 8)
    assert [one.failure for one in found] == [None] * 8
    assert ["predicted_at" in one.metrics for one in found] == [False] * 5 + [True] * 3
    assert "parameters" in found[0].metrics


def test_curves_that_lack_a_number_are_not_learnt_from(space, architectures):
    one = Scripted().train(space, Trial(architectures[1]))
    by, without = Says((HOPELESS,), least=1), Unweighed().train(space, Trial(architectures[2]))
    asked(Scripted(), by, space, architectures, told(0.9, [without, one]))
    assert by.learnt == [(Known(CURVE, architectures[1], (3.0, 7.0)),)]


@pytest.mark.parametrize("numbers", [(), (3.0, 7.0)])
def test_an_extrapolator_that_has_learnt_before_is_of_use_at_once(numbers, space):
    known = [Known(tuple(end * np.array(CURVE)), None, numbers) for end in np.linspace(0.2, 1.2, 10)]
    by = SupportVectors(least=10, draws=3).fit(known)
    found = searched(space, EarlyStopping(Scripted(), by=by), "valid_accuracy", 2)
    assert [one.failure for one in found] == [None] * 2
    wanted = by.predict(CURVE[:5], 10, numbers).mean
    assert [one.metrics["predicted_accuracy"] for one in found] == [wanted] * 2


@pytest.mark.parametrize("known", [Known(CURVE, None, (1.0,) * 3), Known(CURVE[:9], None, (3.0, 7.0))])
def test_a_prediction_that_cannot_be_made_fails_no_training(known, space, architectures):
    by = SupportVectors(least=10, draws=2).fit([known] * 10)  # other numbers; too few epochs
    answer = asked(Scripted(), by, space, architectures, told(0.9))
    assert answer.curve == CURVE
    assert "predicted_at" not in answer.metrics


def test_a_known_curve_without_numbers_is_left_out(space, architectures):
    by = Says((HOPEFUL,), least=1)
    known = [
        Evaluation(Trial(architectures[1]), {"flops": 7.0, "parameters": 3.0}, (score, *CURVE[1:]))
        for score in (CURVE[0], math.nan, -math.inf)
    ]
    asked(Scripted(), by, space, architectures, told(0.9, known))
    assert by.learnt == [(Known(CURVE, architectures[1], (3.0, 7.0)),)]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_nothing_is_predicted_of_a_curve_without_numbers(score, space, architectures):
    by = Says((HOPELESS,))
    answer = asked(Scripted((score, *CURVE[1:])), by, space, architectures, told(0.9))
    assert by.asked == []
    assert (answer.metrics["stopped"], len(answer.curve)) == (0.0, len(CURVE))


@dataclass(frozen=True)
class Sized(Scripted):
    """The larger a network, the better it ends; the loss rises in the course of its training."""

    metrics = frozenset({"valid_accuracy", "valid_loss", "parameters", "flops", "epochs"})

    def preflight(self, space, trial):
        return {"parameters": 1.0 + sum(number for _, number in trial.architecture), "flops": 1.0}

    def end(self, trial):
        return 0.3 + 0.3 * self.preflight(None, trial)["parameters"] / 25

    def train(self, space, trial, course=Course(), briefing=None):
        scaled = Scripted(tuple(score / 0.6 * self.end(trial) for score in CURVE))
        answer = scaled.train(space, trial, course, briefing)
        loss = 1.0 - self.end(trial) + len(answer.curve)
        return replace(answer, metrics={**answer.metrics, "valid_loss": loss, **self.preflight(space, trial)})


@dataclass(frozen=True)
class Rough:
    """Promises too much: the latest score, and two thirds."""

    least: int = 0

    def fit(self, known, seed=0):
        return self

    def predict(self, curve, horizon, numbers=(), seed=0):
        return Prediction(curve[-1] * 5 / 3, 0.001)


def test_with_a_second_objective_only_those_that_are_no_worse_in_it_count(space, architectures):
    estimator = EarlyStopping(Sized(), by=LastValue())
    history = searched(space, estimator, ["valid_accuracy", "min:parameters"], 60)
    front = {scored.evaluation.metrics["parameters"]: scored.evaluation for scored in history.front()}
    assert set(front) == {one.metrics["parameters"] for one in history}  # here, each size is worth having
    assert all(one.metrics["valid_accuracy"] == one.curve[-1] for one in front.values())
    estimator = EarlyStopping(Scripted(), by=Says((HOPELESS,)))
    standing = Standing((parse("min:parameters"),), {(2.0,): 0.5, (3.0,): 0.65, (4.0,): 0.9})
    for rivals, stopped in ((standing.rivals, 1.0), ({(2.0,): 0.5, (4.0,): 0.9}, 0.0), ({(4.0,): 0.9}, 0.0)):
        answer = estimator.estimate(space, Trial(architectures[0]), (replace(standing, rivals=rivals), None))
        assert answer.metrics["stopped"] == stopped


@pytest.mark.parametrize("wanted", ["valid_loss", ["valid_accuracy", "valid_loss"], ["valid_accuracy", "epochs <= 9"]])
def test_no_training_is_ended_that_has_to_be_whole_to_tell_what_is_wanted(wanted, space):
    estimator = EarlyStopping(Sized(), by=Rough(), certain=0.01)
    history = searched(space, estimator, wanted, 12)
    assert [one.metrics["stopped"] for one in history] == [0.0] * 12
    assert all("predicted_at" in one.metrics for one in history)
    assert any(one.metrics["stopped"] for one in searched(space, estimator, "valid_accuracy", 12))


@dataclass(frozen=True)
class Ends:
    """Hopes, until a curve is as long as that."""

    length: int
    least: int = 0

    def fit(self, known, seed=0):
        return self

    def predict(self, curve, horizon, numbers=(), seed=0):
        return HOPELESS if len(curve) >= self.length else HOPEFUL


@pytest.mark.parametrize("ends", [2, 3])
def test_asked_again_an_ended_training_gives_the_same_answer(ends, task, space, architectures, tmp_path):
    estimator = EarlyStopping(Training(task, epochs=8), by=Ends(ends), warmup=1, every=1).stored(str(tmp_path))
    first, again = (estimator.estimate(space, Trial(architectures[0], 0.5), (told(0.65)[0], None)) for _ in range(2))
    assert first.metrics["predicted_at"] == ends
    assert again.curve == first.curve
    assert again.metrics == {**first.metrics, "epochs": 0.0}


def test_a_training_that_goes_on_shows_the_same_first_prediction(task, space, architectures, tmp_path):
    estimator = EarlyStopping(Training(task, epochs=4), by=LastValue(), warmup=1, every=1)
    kept = estimator.stored(str(tmp_path))
    kept.estimate(space, Trial(architectures[0], fidelity=0.5))
    whole, parts = (one.estimate(space, Trial(architectures[0])) for one in (estimator, kept))
    assert parts.metrics == {**whole.metrics, "epochs": 2.0}


def test_it_needs_a_training():
    with pytest.raises(ArchwrightError, match="takes part in a training"):
        EarlyStopping(LastValue())
