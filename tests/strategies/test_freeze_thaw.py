import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Choice, Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies import freeze_thaw
from archwright.strategies.freeze_thaw import FreezeThaw, clipped, curves, farthest
from archwright.strategies.models.curve_process import Curve


def made(**arguments):
    return arguments


class Falling:
    """Curves of ten epochs that fall at rates of their own to where `end` says."""

    def end(self, arguments):
        return (arguments["x"] - 0.3) ** 2 + 0.5 * (arguments["y"] - 0.6) ** 2 + 0.1 * arguments["kind"]

    def estimate(self, space, trial):
        arguments = space.resolve(trial.architecture)
        rng = np.random.default_rng(int(1e9 * arguments["x"]))
        rate, size = rng.uniform(2.0, 8.0), rng.uniform(0.5, 1.5)
        epochs = np.arange(1, round(10 * trial.fidelity) + 1) / 10
        curve = self.end(arguments) + size * (np.exp(-rate * epochs) - np.exp(-rate)) + 0.005 * rng.standard_normal()
        return Evaluation(trial, {"loss": float(curve[-1])}, tuple(curve.tolist()), cost=1.0)


def searched(strategy, seed=0, evaluations=80):
    space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0), kind=Choice(0, 1, 2))
    run = aw.budget(aw.search(space, strategy, Falling(), objectives="min:loss", seed=seed), evaluations=evaluations)
    list(run)
    return space, run.history


@pytest.fixture(scope="module")
def search():
    return searched(FreezeThaw())


def test_it_continues_what_it_paused_step_by_step(search):
    _, history = search
    reached = {}
    for position, evaluation in enumerate(history):
        trial = evaluation.trial
        before, parent = reached.get(trial.architecture, (0.0, None))
        assert trial.fidelity == pytest.approx(before + 0.1)
        assert trial.parent == parent
        reached[trial.architecture] = trial.fidelity, position


def test_most_trainings_are_given_up_and_the_winner_is_among_the_best(search):
    space, history = search
    ends = sorted(
        (Falling().end(space.resolve(trial.architecture)), trial.fidelity)
        for trial in {
            evaluation.trial.architecture: evaluation.trial
            for evaluation in sorted(history, key=lambda item: item.trial.fidelity)
        }.values()
    )
    finished = [end for end, fidelity in ends if fidelity == 1.0]
    assert 1 <= len(finished) < len(ends) / 3
    assert history.best.evaluation.trial.fidelity == 1.0
    assert np.mean(finished) < np.median([end for end, _ in ends])


def test_it_finds_more_than_as_many_epochs_of_random_trainings():
    found = [searched(FreezeThaw(candidates=30), seed)[1].best.losses[0] for seed in range(8)]
    drawn = [searched(aw.strategies.Random(), seed, evaluations=8)[1].best.losses[0] for seed in range(8)]
    assert np.median(found) < np.median(drawn) / 2


def architecture(number):
    return aw.Architecture((("x", number),))


def history_of(goal, *answers):
    history = History(goal)
    for trial, metrics, curve in answers:
        history.append(history.ask(trial), Evaluation(trial, metrics, curve))
    return history


def losses(history):
    return np.array([scored.losses[0] for scored in history.succeeded])


def test_a_curve_is_the_evaluations_own_or_made_of_what_was_asked():
    first, second = Trial(architecture(0.1), 0.2), Trial(architecture(0.1), 0.4, parent=0)
    other = Trial(architecture(0.7), 0.2)
    history = history_of(
        "valid_accuracy",
        (first, {"valid_accuracy": 0.5}, (0.3, 0.5)),
        (second, {"valid_accuracy": 0.6}, (0.3, 0.5, 0.55, 0.6)),
        (other, {"valid_accuracy": 0.8}, ()),
    )
    found = curves(history, history.succeeded, losses(history))
    one, two = found
    assert one.times == (0.1, 0.2, 0.3, 0.4)
    assert one.values == (-0.3, -0.5, -0.55, -0.6)
    assert found[one].position == 1
    assert (two.times, two.values) == ((0.2,), (-0.8,))
    steps = history_of("valid_accuracy", (first, {"valid_accuracy": 0.5}, ()), (second, {"valid_accuracy": 0.6}, ()))
    (step,) = curves(steps, steps.succeeded, losses(steps))
    assert (step.times, step.values) == ((0.2, 0.4), (-0.5, -0.6))


def test_an_own_curve_takes_the_place_of_the_earlier_ones():
    scores, trials = (0.1, 0.2, 0.3, 0.4), [Trial(architecture(0.1), level) for level in (0.1, 0.2, 0.3)]
    answers = [
        (trial, {"valid_accuracy": scores[epochs - 1]}, scores[:epochs])
        for trial, epochs in zip(trials, (1, 2, 4), strict=True)  # of 12: no multiples of the level
    ]
    for order in (answers, answers[::-1]):
        history = history_of("valid_accuracy", *order)
        (found,) = curves(history, history.succeeded, losses(history))
        assert (found.times, found.values) == ((0.075, 0.15, 0.225, 0.3), (-0.1, -0.2, -0.3, -0.4))


def test_where_each_fidelity_has_a_whole_curve_what_was_measured_at_each_is_read():
    first, second = (Trial(architecture(0.1), level) for level in (0.1, 0.4))
    answers = [
        (first, {"valid_accuracy": 0.4}, (0.1, 0.2, 0.3, 0.4)),
        (Trial(architecture(0.7), 0.1), {"valid_accuracy": 0.35}, (0.1, 0.3, 0.35)),
        (second, {"valid_accuracy": 0.7}, (0.4, 0.5, 0.6, 0.7)),
    ]
    history = history_of("valid_accuracy", *answers)
    one, two = curves(history, history.succeeded, losses(history))
    assert (one.times, one.values) == ((0.1, 0.4), (-0.4, -0.7))
    assert (two.times, two.values) == ((0.1,), (-0.35,))
    before = history_of("valid_accuracy", *answers[:2])  # nothing tells yet
    one, two = curves(before, before.succeeded, losses(before))
    assert (one.times, one.values) == ((0.025, 0.05, 0.075, 0.1), (-0.1, -0.2, -0.3, -0.4))


class OfData(Falling):
    """Trains ten epochs whatever the fidelity, the better the higher that is."""

    def estimate(self, space, trial):
        whole = super().estimate(space, Trial(trial.architecture))
        curve = tuple(value + 1.0 - trial.fidelity for value in whole.curve)
        return Evaluation(trial, {"loss": curve[-1]}, curve, cost=1.0)


def test_along_data_it_finds_what_is_best_at_the_end():
    space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0), kind=Choice(0, 1, 2))
    run = aw.search(space, FreezeThaw((0.25, 0.5, 1.0), candidates=20), OfData(), objectives="min:loss")
    list(aw.budget(run, evaluations=25))
    history = run.history
    for curve, scored in curves(history, history.succeeded, losses(history)).items():
        asked = [item for item in history if item.trial.architecture == curve.item]
        assert curve.times == tuple(item.trial.fidelity for item in asked)
        assert scored.evaluation is asked[-1]
    assert history.best.evaluation.trial.fidelity == 1.0


class FewEpochs(Falling):
    """Three epochs, so that some of ten fidelities come to the same number."""

    def estimate(self, space, trial):
        curve = super().estimate(space, Trial(trial.architecture)).curve[: max(1, round(3 * trial.fidelity))]
        return Evaluation(trial, {"loss": curve[-1]}, curve, cost=1.0)


@pytest.mark.parametrize("estimator", [Falling, FewEpochs])
def test_along_epochs_it_proposes_as_if_nothing_else_were_known(estimator, monkeypatch):
    def found():
        space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0), kind=Choice(0, 1, 2))
        run = aw.search(space, FreezeThaw(candidates=10), estimator(), objectives="min:loss")
        return [item.trial for item in aw.budget(run, evaluations=20)]

    told = found()
    monkeypatch.setattr(freeze_thaw, "along_epochs", lambda *_: True)
    assert told == found()
    assert any(trial.fidelity > 0.2 for trial in told)


def test_a_curve_of_something_else_is_not_read():
    trial = Trial(architecture(0.1), 0.5)
    for goal, metrics in (("min:loss", {"loss": 0.2}), (["min:loss", "min:flops"], {"loss": 0.9, "flops": 3.0})):
        history = history_of(goal, (trial, metrics, (0.7, 0.9)))
        (found,) = curves(history, history.succeeded, losses(history))
        assert found.times == (0.5,)


def test_long_curves_are_thinned_to_their_last_value():
    trial = Trial(architecture(0.1), 1.0)
    curve = tuple(1.0 / epoch for epoch in range(1, 201))
    history = history_of("min:loss", (trial, {"loss": curve[-1]}, curve))
    (found,) = curves(history, history.succeeded, losses(history))
    assert len(found.times) == 10
    assert (found.times[0], found.times[-1]) == (0.005, 1.0)
    assert found.values[-1] == curve[-1]


def test_what_failed_is_not_continued():
    space = Space(made, x=Real(0.0, 1.0))
    history, streams = History("min:loss"), Streams(0)
    strategy = FreezeThaw(levels=(0.5, 1.0), initial=2, candidates=10)
    for number in range(30):
        trial = strategy.propose(space, history, streams[number])
        failure = "out of memory" if trial.fidelity == 1.0 else None
        metrics = {} if failure else {"loss": trial.architecture["x"]}
        history.append(history.ask(trial), Evaluation(trial, metrics, failure=failure))
    failed = [evaluation.trial.architecture for evaluation in history if evaluation.failure]
    assert failed
    assert len(failed) == len(set(failed))


def test_levels_that_do_not_ascend_are_refused():
    with pytest.raises(aw.ArchwrightError, match="ascend from more than 0 to 1"):
        FreezeThaw(levels=(0.5, 0.2, 1.0))


def test_of_many_trainings_the_best_and_the_latest_are_read():
    answers = [(Trial(architecture(number / 1000), 0.1), {"loss": abs(number - 100.0)}, ()) for number in range(1000)]
    history = history_of("min:loss", *answers)
    read = {round(1000 * curve.item["x"]) for curve in curves(history, history.succeeded, losses(history))}
    assert len(read) == 300
    assert {*range(30, 170), *range(850, 1000)} < read


class Exploding(Falling):
    """What begins with one kind explodes."""

    def estimate(self, space, trial):
        answer = super().estimate(space, trial)
        if space.resolve(trial.architecture)["kind"] != 2:
            return answer
        curve = tuple(1e4 * epoch for epoch in range(1, len(answer.curve) + 1))
        return Evaluation(trial, {"loss": curve[-1]}, curve, cost=1.0)


def test_trainings_that_explode_keep_no_other_from_going_on():
    space = Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0), kind=Choice(0, 1, 2))
    run = aw.search(space, FreezeThaw(candidates=20), Exploding(), objectives="min:loss")
    list(aw.budget(run, evaluations=60))
    exploded = [evaluation for evaluation in run.history if evaluation.metrics["loss"] > 1e3]
    assert 1 <= len(exploded) < 15
    assert run.history.best.evaluation.trial.fidelity == 1.0
    assert run.history.best.losses[0] < 0.3


def test_only_curves_that_are_far_behind_are_cut():
    falling = [Curve(n, (0.1, 0.2, 1.0), (2.3 + n / 10, 1.0, 0.3 + n / 100)) for n in range(5)]
    assert clipped(falling) == falling
    assert clipped(falling[:1]) == falling[:1]
    exploded = Curve(5, (0.1, 0.2, 1.0), (2.0, 50.0, 1e6))
    spike = Curve(6, (0.1, 0.2, 1.0), (1e6, 1.0, 0.32))
    cut = clipped([*falling, exploded, spike])
    assert cut[:5] == falling
    limit = farthest(np.array([0.3, 0.31, 0.32, 0.33, 0.34, 1e6, 0.32]))
    assert limit == pytest.approx(0.42)
    assert cut[5].values == (limit, limit, limit)
    assert 2.7 < cut[6].values[0] < 5.0
    assert cut[6].values[1:] == (1.0, 0.32)


def test_where_most_are_equally_good_the_others_are_not_cut_to_the_same():
    assert farthest(np.array([1.0, 1.0, 1.0, 2.0, 4.0])) == 3.0 + 5.0 * 2.0
    assert farthest(np.array([1.0])) == 1.0


def test_values_that_are_no_numbers_are_left_out_of_a_curve():
    trial = Trial(architecture(0.1), 0.4)
    history = history_of("min:loss", (trial, {"loss": 0.5}, (float("nan"), float("inf"), 0.7, 0.5)))
    (found,) = curves(history, history.succeeded, losses(history))
    assert (found.times, found.values) == ((0.3, 0.4), (0.7, 0.5))
