"""A diagnosis: which architectures, which figures, what is kept, what is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kendalltau

import archwright as aw
from archwright.core.history import History
from archwright.core.objective import BadObjective
from archwright.core.parts import describe, remake
from archwright.core.rng import Streams
from archwright.diagnosis import Candidate, Diagnosis, diagnose
from archwright.diagnosis.naming import in_words
from archwright.diagnosis.result import ALL, HALF, TOP
from archwright.diagnosis.sampling import near, uniform
from archwright.diagnosis.statistics import Figure
from archwright.diagnosis.verdict import cost, with_interval
from archwright.runtime.store import StoreError
from archwright.strategies.listed import Listed
from tests.diagnosis.small import Fake, noise, place, reference, scores, space, truth


def make(folder, candidates=None, ref=None, **given):
    settings = {"architectures": 40, "near_top": 8, "fidelities": (0.25,), **given}
    return diagnose(space(), candidates or {}, ref or reference(), folder=folder / "kept", **settings)


def line(diagnosis, label):
    return next(one for one in diagnosis.lines if one.label == label)


def test_the_sample_is_fair_and_then_near_the_top(tmp_path):
    found = make(tmp_path)
    architectures = found.architectures
    assert len(set(architectures)) == 48
    assert found.fair.sum() == 40
    values = scores(architectures, truth)
    np.testing.assert_allclose(found.truth, values)
    best = [architectures[i] for i in np.argsort(-values[:40])[:4]]
    for mutant in architectures[40:]:
        assert any((mutant["a"] == one["a"]) != (mutant["b"] == one["b"]) for one in best)
    half, top = found.regions[HALF], found.regions[TOP]
    assert values[half].min() > values[found.regions[ALL] & ~half].max()
    assert half.sum() == 20
    assert {architectures[i] for i in np.flatnonzero(top)} == {*best, *architectures[40:]}


def test_another_seed_is_another_sample_and_the_same_seed_the_same():
    drawn = [uniform(space(), 20, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    best = drawn[0][:2]
    assert near(space(), best, 5, drawn[0], 0) == near(space(), best, 5, drawn[0], 0)


def test_a_space_may_be_smaller_than_the_sample(tmp_path):
    found = diagnose(
        space(3), {}, reference(), folder=tmp_path / "kept", architectures=40, near_top=3, fidelities=(0.5,)
    )
    assert found.fair.sum() == 9
    assert (~found.fair).sum() == 0
    assert TOP not in found.regions
    assert "has only 9" in " ".join(found.as_json()["warnings"])


def test_figures_are_those_of_the_architectures(tmp_path):
    """Computed anew on the same architectures: of a candidate where smaller is better, and one that fails for some."""
    error = Fake({"error": lambda trial: 1 - truth(trial.architecture) - 0.31415 * noise(trial.architecture)}, cost=2.0)
    partly = Fake(
        {"valid_accuracy": lambda trial: truth(trial.architecture)}, fails=lambda trial: place(trial.architecture) < 30
    )
    found = make(tmp_path, {"error": Candidate(error, ("min:error",)), "partly": partly})
    fair = found.architectures[:40]
    values = scores(fair, truth)
    one, good = line(found, "error"), [truth(it) + 0.31415 * noise(it) for it in fair]
    assert one.tau.value == pytest.approx(kendalltau(values, good).statistic)
    picked = fair[int(np.argmax(good))]
    assert one.agreement[ALL].regret.value == pytest.approx(values.max() - truth(picked))
    assert (one.seconds, one.cost) == (2.0, pytest.approx(0.25))
    assert one.gap is None
    other, known = line(found, "partly"), [it for it in fair if place(it) >= 30]
    assert other.agreement[ALL].count == len(known) < 40
    assert other.tau.value == 1.0
    assert sum(other.failures.values()) == 48 - other.answered
    assert list(other.failures) == ["it does not fit"]
    assert other.gap.value == pytest.approx(0.0, abs=1e-12)
    sizes = line(found, "parameters")
    counted = [truth(it) + 0.4 * noise(it, 3) for it in fair]
    assert sizes.tau.value == pytest.approx(kendalltau(values, counted).statistic)
    assert one.over["parameters"].value == pytest.approx(one.tau.value - sizes.tau.value)
    assert one.with_size["parameters"].value == pytest.approx(kendalltau(counted, good).statistic)


def test_an_estimator_without_the_objective_is_judged_by_what_it_measures(tmp_path):
    proxies = {"one": lambda trial: truth(trial.architecture), "two": lambda trial: noise(trial.architecture)}
    both = Fake({**proxies, "flops": lambda trial: 1.0, "one_std": lambda trial: 0.1})
    found = make(tmp_path, {"cheap": both, "named": Candidate(both, ("min:two",))}, fidelities=())
    assert [one.label for one in found.lines] == ["cheap: one", "cheap: two", "named", "parameters", "flops"]
    assert line(found, "named").tau.value == pytest.approx(-line(found, "cheap: two").tau.value)
    assert line(found, "cheap: one").tau.value == 1.0
    assert math.isnan(line(found, "flops").tau.value)


def test_what_is_told_about_a_prediction_is_no_estimate_and_a_loss_is_better_small(tmp_path):
    measured = ("train_loss", "train_loss_std", "train_loss_learnt_from")
    predicted = Fake(dict.fromkeys(measured, lambda trial: -truth(trial.architecture)))
    found = make(tmp_path, {"predicted": predicted, "other": Fake({**predicted.of, "lossy": lambda trial: 1.0})})
    assert [one.label for one in found.of_kind("estimator")] == ["predicted", "other: lossy", "other: train_loss"]
    assert line(found, "predicted").column.objective == "min:train_loss"
    assert line(found, "predicted").tau.value == 1.0
    assert line(found, "other: lossy").column.objective == "max:lossy"


def test_one_proxy_that_fails_leaves_the_others(tmp_path):
    some = Fake(
        {
            "one": lambda trial: None if place(trial.architecture) % 2 else truth(trial.architecture),
            "two": lambda trial: noise(trial.architecture),
        }
    )
    found = make(tmp_path, {"cheap": some})
    assert line(found, "cheap: two").answered == 48
    assert 0 < line(found, "cheap: one").answered < 48
    assert list(line(found, "cheap: one").failures) == ["one was not measured"]


def test_a_failure_tells_its_own_reason(tmp_path):
    """Not that the objective is missing, which it is of every failure; unless only another one of several is."""

    class Fails(Fake):
        def estimate(self, space, trial):
            answer = super().estimate(space, trial)
            bad = place(trial.architecture) % 2
            return replace(answer, metrics={"parameters": 1.0}, failure="out of memory") if bad else answer

    fails = Fails({"valid_accuracy": lambda trial: truth(trial.architecture), "parameters": lambda trial: 1.0})
    odd = {
        "one": lambda trial: math.nan if place(trial.architecture) % 2 else 1.0,
        "two": lambda trial: None if place(trial.architecture) % 2 else 1.0,
    }
    found = make(tmp_path, {"fails": fails, "odd": Candidate(Fake(odd), ("max:one", "max:two"))})
    assert list(line(found, "fails").failures) == ["out of memory"]
    assert list(line(found, "odd: one").failures) == ["one is nan"]
    assert list(line(found, "odd: two").failures) == ["two was not measured"]


class Silent:
    """Doesn't say what it measures."""

    def __init__(self, log=None):
        self.log = log

    def estimate(self, space, trial):
        with self.log.open("a") as file:
            file.write("asked\n")
        return aw.Evaluation(trial, {"mine": truth(trial.architecture)}, cost=1.0)


def test_an_estimator_that_does_not_say_what_it_measures_is_tried_first(tmp_path):
    log, ours = tmp_path / "log", tmp_path / "ours"
    with pytest.raises(
        BadObjective, match=r"^mine: there is no metric 'valid_accuracy'.*property `metrics`.*judged_by"
    ):
        make(tmp_path, {"mine": Silent(ours)}, reference(log=log))
    assert not log.exists()
    assert not (tmp_path / "kept").exists()
    found = make(tmp_path, {"mine": Candidate(Silent(ours), ("max:mine",))}, reference(log=log))
    assert line(found, "mine").tau.value == 1.0
    assert len(ours.read_text().splitlines()) == 1 + 1 + 48
    make(tmp_path, {"mine": Candidate(Silent(ours), ("max:mine",))}, reference(log=log))
    assert len(ours.read_text().splitlines()) == 1 + 1 + 48


def test_a_prediction_from_nothing_is_refused(tmp_path):
    log = tmp_path / "log"
    for alone in (aw.estimators.Predicted(), aw.estimators.Mean(aw.estimators.Predicted(), 2)):
        with pytest.raises(aw.ArchwrightError, match=r"^guess has nothing to learn from.*predicted\(runs="):
            make(tmp_path, {"guess": alone}, reference(log=log))
    assert not log.exists()
    staged = aw.estimators.Staged(aw.estimators.Predicted(), reference(), "valid_accuracy")  # the dear one answers
    assert line(make(tmp_path, {"staged": Candidate(staged, ("valid_accuracy",))}), "staged").answered > 0


def test_what_a_cache_gave_is_charged_as_when_it_was_made(tmp_path):
    """The reference's fidelities came from another diagnosis, and the candidate's answers from another search."""
    kept = str(tmp_path / "answers")
    cached = aw.estimators.Cached(Trained(), kept, version="1")
    settings = {"fidelities": (0.5, 0.125)}
    cheap = Fake({"valid_accuracy": lambda trial: noise(trial.architecture)}, cost=1.6)
    candidates = {"cheap": aw.estimators.Cached(cheap, kept, version="1")}
    first = make(tmp_path / "first", candidates, cached, **settings)
    again = make(tmp_path / "again", candidates, cached, **settings)
    assert sum(item.cost for history in again.histories.values() for item in history) == 0
    assert [(one.label, one.seconds, one.cost) for one in first.lines] == [
        ("2 epochs", 2.0, 0.125),
        ("8 epochs", 8.0, 0.5),
        ("cheap", 1.6, pytest.approx(0.1)),
    ]
    assert [(one.seconds, one.cost) for one in again.lines] == [(one.seconds, one.cost) for one in first.lines]
    assert again.seconds == first.seconds == 16


def test_a_cache_that_told_no_cost_leaves_the_costs_out(tmp_path):
    def unpriced(trial):
        return {"valid_accuracy": noise(trial.architecture), "cached": 1.0}

    old = Fake({name: lambda trial, name=name: unpriced(trial)[name] for name in ("valid_accuracy", "cached")}, cost=0)
    found = make(tmp_path, {"old": Candidate(old, ("valid_accuracy",))})
    assert math.isnan(line(found, "old").cost)
    assert line(found, "fidelity 0.25").cost == 0.25
    assert "old: some answers were kept by Cached, without what they had cost" in " ".join(found.as_json()["warnings"])
    before = aw.search(space(), Listed(uniform(space(), 5, 1)), old, objectives="valid_accuracy")
    with aw.run.record(before, tmp_path / "run") as running:
        list(running)
    predicted = aw.estimators.Predicted(aw.predictors.RandomForest(trees=5), runs=(str(tmp_path / "run"),), least=3)
    found = make(tmp_path, {"predicted": predicted})
    assert math.isnan(line(found, "predicted").cost)
    assert "predicted: some answers were kept by Cached" in " ".join(found.as_json()["warnings"])


def test_a_metric_of_the_references_own(tmp_path):
    ref = reference()
    ref.of = {**ref.of, "extra": lambda trial: -truth(trial.architecture)}
    found = make(tmp_path, {"minus": "min:extra"}, ref)
    assert line(found, "minus").tau.value == 1.0
    assert math.isnan(line(found, "minus").cost)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir() if path.is_dir()) == [
        "reference",
        "reference-near-top",
    ]


class Trained:
    """Goes on from where it stopped, as `Training` does, and costs a second an epoch."""

    epochs, along = 16, ("epochs",)
    metrics = frozenset({"valid_accuracy", "epochs"})

    def __init__(self):
        self.known = Counter()

    def estimate(self, space, trial):
        reached, known = round(self.epochs * trial.fidelity), self.known[trial.architecture]
        self.known[trial.architecture] = reached
        metrics = {"valid_accuracy": truth(trial.architecture), "epochs": float(reached - known)}
        return aw.Evaluation(trial, metrics, (0.5,) * reached, cost=float(reached - known))


def test_a_training_that_went_on_is_charged_for_its_beginning(tmp_path):
    found = make(tmp_path, ref=Trained(), fidelities=(0.5, 0.125))
    assert [one.label for one in found.lines] == ["2 epochs", "8 epochs"]
    assert found.reference.label == "16 epochs"
    assert found.seconds == 16
    assert [one.seconds for one in found.lines] == [2, 8]
    assert [one.cost for one in found.lines] == [0.125, 0.5]
    spent = sum(item.metrics["epochs"] for history in found.histories.values() for item in history)
    assert spent == 48 * 16


class TrainedBySeed(Trained):
    """The same, each seed for itself."""

    def estimate(self, space, trial):
        reached, known = round(self.epochs * trial.fidelity), self.known[trial.architecture, trial.seed]
        self.known[trial.architecture, trial.seed] = reached
        metrics = {"valid_accuracy": truth(trial.architecture), "epochs": float(reached - known)}
        return aw.Evaluation(trial, metrics, (0.5,) * reached, cost=float(reached - known))


def test_a_mean_of_trainings_that_went_on_is_charged_for_their_beginnings(tmp_path):
    candidates = {"other": Trained()}  # one training, to its end
    found = make(tmp_path, candidates, aw.estimators.Mean(TrainedBySeed(), 3), fidelities=(0.5, 0.125))
    assert found.reference.label == "16 epochs"
    assert found.seconds == 3 * 16
    assert [(one.label, one.seconds) for one in found.lines] == [("2 epochs", 6), ("8 epochs", 24), ("other", 16)]
    assert [one.cost for one in found.lines] == [0.125, 0.5, 1 / 3]


def test_the_reference_from_another_seed(tmp_path):
    def measured(architecture, seed):
        return truth(architecture) + 0.1618 * noise(architecture, seed)

    seeded = Fake({"valid_accuracy": lambda trial: measured(trial.architecture, trial.seed)})
    found = make(tmp_path, ref=seeded, again=True, fidelities=())
    fair = found.architectures[:40]
    expected = kendalltau(*([measured(it, seed) for it in fair] for seed in (0, 1))).statistic
    assert line(found, "reference, again").tau.value == pytest.approx(expected)
    assert "no estimate can be expected to rank better" in found.as_json()["warnings"][0]


def test_the_order_of_arrival_changes_nothing(tmp_path):
    candidates = {"other": Fake({"valid_accuracy": lambda trial: noise(trial.architecture)})}
    slow = {**vars(reference()), "cost": 3.0}
    ref = Fake(**slow)
    one = make(tmp_path / "one", candidates, ref)
    three = make(tmp_path / "three", candidates, ref, executor=aw.Simulated(3))
    assert three.architectures == one.architectures
    assert three.lines == one.lines


def test_it_goes_on_where_it_was_interrupted(tmp_path):
    log = tmp_path / "log"
    candidates = {"other": Fake({"valid_accuracy": lambda trial: noise(trial.architecture)}, log)}
    whole = make(tmp_path / "whole", {"other": replace(candidates["other"], log=None)})
    told = []
    for stop in (7, 60, 100, 120):

        def interrupt(label, done, total, stop=stop):
            told.append((label, done, total))
            if len(log.read_text().splitlines() if log.exists() else []) >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            make(tmp_path, candidates, reference(log=log), on_answer=interrupt)
        with pytest.raises(StoreError, match="was interrupted: diagnose again"):
            Diagnosis.load(tmp_path / "kept")
    log.unlink()
    rest = make(tmp_path, candidates, reference(log=log))
    assert len(log.read_text().splitlines()) == 24  # of 144: no question was asked twice
    assert rest.lines == whole.lines
    assert ("reference", 0, 80) in told
    questions = [(item.trial.architecture, item.trial.fidelity) for item in rest.histories["reference"]]
    assert len(questions) == len(set(questions)) == 80


def test_candidates_come_later_and_nothing_is_asked_again(tmp_path):
    log = tmp_path / "log"
    make(tmp_path, ref=reference(log=log))
    before = log.read_text()
    found = make(
        tmp_path, {"more": Fake({"valid_accuracy": lambda trial: noise(trial.architecture)})}, reference(log=log)
    )
    assert log.read_text() == before
    assert line(found, "more").answered == 48
    again = Diagnosis.load(tmp_path / "kept")
    assert again.lines == found.lines
    assert json.loads((tmp_path / "kept" / "result.json").read_text())["lines"][0]["label"] == "fidelity 0.25"


def labels(diagnosis):
    return [one.label for one in diagnosis.lines]


def test_what_was_asked_before_stays(tmp_path):
    """In the manifest and among the lines, whatever is asked later in the folder; what was learnt from too."""
    measured_run(tmp_path / "run", seed=1, count=5)
    silent = aw.estimators.Predicted(runs=(str(tmp_path / "run"),), least=1000)
    first = make(tmp_path, {"silent": silent, "one": Fake({"one": lambda trial: noise(trial.architecture)})})
    found = make(tmp_path, {"size": "max:parameters"})
    assert labels(found) == ["fidelity 0.25", "silent", "one", "size", "parameters"]
    assert line(found, "one") == line(first, "one")
    assert line(found, "silent").failures == line(first, "silent").failures
    assert set(found.manifest["candidates"]) == {"silent", "one"}
    again = make(tmp_path, {}, again=True)
    assert labels(again) == ["fidelity 0.25", "silent", "one", "size", "reference, again", "parameters"]
    written = json.loads((tmp_path / "kept" / "result.json").read_text())["manifest"]
    assert written["learnt"]["silent"] == first.manifest["learnt"]["silent"]
    assert written["learnt"]["silent"]["seconds"] == 5 * 8.0


TAKEN = {
    "seed": {"one": Candidate(Fake({"one": lambda trial: 1.0}), seed=1)},
    "folder": {"one?": Fake({"one": lambda trial: 1.0})},
    "metric": {"size": "min:parameters"},
    "kind": {"size": Fake({"one": lambda trial: 1.0})},
}


@pytest.mark.parametrize("which", TAKEN)
def test_a_name_that_stands_for_something_else_is_refused_before_anything_is_written(tmp_path, which):
    make(tmp_path, {"one": Fake({"one": lambda trial: noise(trial.architecture)}), "size": "max:parameters"})
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")}
    with pytest.raises(StoreError, match=r"has another candidate '(one|one\?|size)': give it another label"):
        make(tmp_path, TAKEN[which])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*")} == files
    assert labels(Diagnosis.load(tmp_path / "kept")) == ["fidelity 0.25", "one", "size", "parameters"]


def test_a_diagnosis_stays_readable_while_more_is_asked(tmp_path):
    first = make(tmp_path)
    more = {"more": Fake({"valid_accuracy": lambda trial: noise(trial.architecture)})}

    def interrupt(label, done, total):
        if label == "more" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, more, on_answer=interrupt)
    assert Diagnosis.load(tmp_path / "kept").lines == first.lines
    with pytest.raises(StoreError, match="another candidate 'more'"):
        make(tmp_path, {"more": Candidate(more["more"], seed=1)})
    assert labels(make(tmp_path, {"size": "max:parameters"})) == ["fidelity 0.25", "size", "parameters"]
    assert labels(make(tmp_path, more)) == ["fidelity 0.25", "size", "more", "parameters"]


CHANGED = {
    "seed": ({"seed": 1}, "its seed is 0, and now 1"),
    "architectures": ({"architectures": 41}, "its architectures is 40, and now 41"),
    "fidelities": ({"fidelities": (0.5,)}, "its fidelities"),
    "objective": ({"objective": "min:valid_accuracy"}, "its objective"),
    "reference": ({"ref": Trained()}, "its reference is another one"),
}


@pytest.mark.parametrize("which", CHANGED)
def test_another_diagnosis_is_refused_in_the_same_folder(tmp_path, which):
    make(tmp_path)
    given, message = CHANGED[which]
    with pytest.raises(StoreError, match=message):
        make(tmp_path, **given)


WRONG = [
    ({"candidates": {}, "fidelities": ()}, "nothing to diagnose"),
    ({"architectures": 2}, "at least 3 architectures"),
    ({"near_top": -1}, "at least 3 architectures, and 0 or more"),
    ({"fidelities": (1.0,)}, "above 0 and below 1, not 1"),
    ({"fidelities": (0.5, 0.5)}, "named twice"),
    ({"ref": Trained(), "fidelities": (0.07, 0.04)}, "fidelities 0.04 and 0.07 of 16 epochs are both 1 epoch: raise"),
    ({"ref": Trained(), "fidelities": (0.5, 0.99)}, "fidelities 0.99 and 1 of 16 epochs are both 16 epochs: raise"),
    ({"objective": "valid_accuray"}, "valid_accuray"),
    ({"objective": "test_accuracy"}, "can't steer a search"),
    ({"objective": ["valid_accuracy", "min:parameters"]}, "one objective at a time"),
    ({"objective": "parameters <= 5"}, "at least one objective"),
    ({"candidates": {"a": Fake}}, "a is no estimator but the class Fake; make one"),
    ({"candidates": {"a": 3}}, "a is no estimator but a int"),
    ({"candidates": {"a": Candidate(Fake({}))}}, "measures no valid_accuracy, and nothing else"),
    ({"candidates": {"a": Candidate(reference(), ("max:nothing",))}}, "there is no metric 'nothing'"),
    ({"candidates": {"a": "max:nothing"}}, "there is no metric 'nothing'"),
    ({"candidates": {"fidelity 0.25": reference()}}, "two of the labels"),
    ({"candidates": {"a b": reference(), "a?b": reference()}}, "two of the folders"),
    ({"candidates": {"reference-near-top": reference()}}, "two of the folders"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[message for _, message in WRONG])
def test_mistakes_are_told_before_anything_is_asked(tmp_path, given, message):
    log = tmp_path / "log"
    with pytest.raises(aw.ArchwrightError, match=message):
        make(tmp_path, given.pop("candidates", {}), given.pop("ref", reference(log=log)), **given)
    assert not log.exists()
    assert not (tmp_path / "kept").exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="holds something else"):
        make(tmp_path)
    with pytest.raises(StoreError, match="is no diagnosis"):
        Diagnosis.load(tmp_path / "kept")


def test_a_reference_that_fails_is_told(tmp_path):
    with pytest.raises(aw.ArchwrightError, match=r"answered for 0 of 40 .* 40 times: it does not fit"):
        make(tmp_path, ref=reference(fails=lambda trial: True))


def test_what_the_reference_has_no_answer_for_is_left_out_and_told(tmp_path):
    found = make(tmp_path, ref=reference(fails=lambda trial: place(trial.architecture) < 20))
    missing = sum(place(one) < 20 for one in found.architectures)
    assert found.unanswered == {"it does not fit": missing}
    assert found.regions[ALL].sum() == 40 - sum(place(one) < 20 for one in found.architectures[:40])
    assert f"The reference: no answer for {missing} of 48" in " ".join(found.as_json()["warnings"])


def test_nas_bench_201_at_12_epochs_against_200(tmp_path, bench_data):
    """Kendall's tau between the table's own columns, of the rows that were drawn."""
    bench = aw.benchmarks.nasbench201(epochs=200, data=bench_data)
    found = diagnose(
        bench.space,
        {"size": "max:parameters"},
        bench.estimator,
        folder=tmp_path / "kept",
        architectures=80,
        near_top=15,
        fidelities=(0.06,),
        again=True,
    )
    columns, rows = bench.table.columns, [bench.table.row(one) for one in found.architectures[:80]]
    whole = columns["valid_accuracy@1#0"][rows]
    early, again, size = found.lines[:3]
    assert found.reference.label == "200 epochs"
    assert (early.label, again.label, size.label) == ("12 epochs", "200 epochs, again", "size")
    assert early.tau.value == pytest.approx(kendalltau(whole, columns["valid_accuracy@0.06"][rows]).statistic)
    assert again.tau.value == pytest.approx(kendalltau(whole, columns["valid_accuracy@1#1"][rows]).statistic)
    assert size.tau.value == pytest.approx(kendalltau(whole, columns["parameters"][rows]).statistic)
    assert early.cost == pytest.approx(0.06)
    assert early.seconds == pytest.approx(float(np.median(columns["seconds@0.06"][rows])))
    assert found.as_json()["verdict"][-2].startswith("12 epochs rank")
    assert "12 epochs are too pessimistic, by " in " ".join(found.as_json()["warnings"])


def test_the_list_is_gone_through_level_by_level():
    architectures = uniform(space(), 3, 0)
    history, strategy = History("min:loss"), Listed(architectures, (0.5, 1.0), seed=4)
    streams = Streams(0)
    asked = []
    while (trial := strategy.propose(space(), history, streams[history.asked])) is not None:
        asked.append((trial.architecture, trial.fidelity, trial.seed))
        history.append(history.ask(trial), aw.Evaluation(trial, {"loss": 0.0}))
    assert asked == [(one, level, 4) for level in (0.5, 1.0) for one in architectures]


def test_a_list_is_made_again_from_its_description():
    listed = Listed(uniform(space(), 3, 0), (0.25, 1.0), seed=2)
    described = json.loads(json.dumps(describe(listed)))
    assert remake(described, {"listed": Listed, "architecture": aw.Architecture}) == listed


def test_the_list_waits_for_the_lower_fidelity():
    architectures = uniform(space(), 2, 0)
    history, strategy = History("min:loss"), Listed(architectures, (0.5, 1.0))
    streams = Streams(0)
    numbers = [history.ask(strategy.propose(space(), history, streams[history.asked])) for _ in architectures]
    assert strategy.propose(space(), history, streams[2]) is None
    history.append(numbers[1], aw.Evaluation(history.pending[numbers[1]], {"loss": 0.0}))
    assert strategy.propose(space(), history, streams[2]) is None
    history.append(numbers[0], aw.Evaluation(history.pending[numbers[0]], failure="lost"))
    assert strategy.propose(space(), history, streams[2]) == aw.Trial(architectures[0], 1.0)


def test_fidelities_in_words():
    trained = aw.estimators.Training(aw.tasks.digits(), epochs=36)
    assert in_words(trained, 1 / 9) == "4 epochs"
    assert in_words(trained, 1 / 36) == "1 epoch"
    assert in_words(trained, 1.0, "reference") == "36 epochs"
    shared = aw.estimators.Training(aw.tasks.digits(), along=("data", "width"))
    assert in_words(shared, 0.25) == "0.25 of the data and width"
    assert in_words(shared, 1.0, "reference") == "reference"
    assert in_words(aw.estimators.Mean(trained), 1 / 3) == "12 epochs"
    assert in_words(reference(), 0.06) == "fidelity 0.06"


def test_costs_in_words():
    shown = {
        0.11: "1/9 of the cost",
        0.0005: "1/2,000 of the cost",
        0.5: "50% of the cost",
        0.97: "about the same cost",
    }
    for share, words in {**shown, 3.0: "3 times the cost", 0.0: "no cost", math.nan: ""}.items():
        assert cost(share) == words


def test_intervals_in_words():
    assert with_interval(Figure(0.714, -0.623, 1.0)) == ".71 [-.62, 1]"
    assert with_interval(Figure(math.nan, math.nan, math.nan)) == "–"


def measured_run(folder, seed, count=40):
    """A finished run of a fair sample: the truth, 8 s an architecture."""
    found = aw.search(space(), Listed(uniform(space(), count, seed)), reference(), objectives="valid_accuracy")
    with aw.run.record(found, folder) as running:
        assert len(list(running)) == count
    return {one.trial.architecture for one in running.history}


def test_an_estimate_is_not_judged_by_what_it_learnt_from(tmp_path):
    """Where all of the sample was learnt from, by an estimator inside too, nothing is left to be judged by."""
    known = measured_run(tmp_path / "other", seed=1)
    measured_run(tmp_path / "same", seed=0)
    predicted = aw.estimators.Predicted(aw.predictors.RandomForest(trees=5), runs=(str(tmp_path / "other"),))
    inside = aw.estimators.Predicted(runs=(str(tmp_path / "same"),), least=1000)
    staged = aw.estimators.Staged(inside, reference(), "valid_accuracy")
    found = make(tmp_path, {"other": predicted, "same": Candidate(staged, ("valid_accuracy",))}, fidelities=())
    other, same = line(found, "other"), line(found, "same")
    fresh, overlap = set(found.architectures[:40]) - known, len(known.intersection(found.architectures))
    assert other.agreement[ALL].count == len(fresh)
    assert 0 < len(fresh) < 40
    assert other.failures == {"it had learnt from it": overlap}
    assert other.cost == pytest.approx((40 * 8.0 + other.seconds * len(fresh)) / (len(fresh) * 8.0), rel=0.01)
    assert same.agreement[ALL].count == 0
    said = found.as_json()
    assert "same can't be judged: 0 architectures are too few." in said["verdict"]
    assert any(
        one.startswith(f"other had learnt from {overlap} of 48 architectures, which") for one in said["warnings"]
    )


def test_runs_to_learn_from_are_looked_at_before_anything_is_asked(tmp_path):
    log = tmp_path / "log"
    measured_run(tmp_path / "run", seed=1, count=3)
    for folder, message in (("nowhere", "there is no run"), ("run", "and the space given is")):
        predicted = aw.estimators.Predicted(runs=(str(tmp_path / folder),))
        with pytest.raises(StoreError, match=message):
            diagnose(space(9), {"predicted": predicted}, reference(log=log), folder=tmp_path / "kept")
    assert not log.exists()
    assert not (tmp_path / "kept").exists()
