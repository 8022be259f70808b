"""Weights go from parents to children: in one process, through a folder, and through worker processes."""

import math
import sys
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.estimators import Inherited, Training
from archwright.estimators.course import Course
from archwright.estimators.inherited import ancestor
from archwright.estimators.wrapped import TakesPart
from archwright.tasks.task import Hyperparameters, Task
from archwright.testing import check_estimator
from archwright.training.distilling import Distilling
from tests.runtime.full import full_disk


@pytest.fixture(scope="module")
def task():
    return aw.tasks.digits()


class Small(nn.Module):
    """Convolutions of stride 2, pooled and classified."""

    def __init__(self, signature, widths, kernel):
        super().__init__()
        channels = [signature.input_shape[0], *map(signature.channels, widths)]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, kernel, 2, kernel // 2), nn.BatchNorm2d(after), nn.ReLU())
                for before, after in pairwise(channels)
            )
        )
        self.classifier = nn.Linear(channels[-1], signature.outputs)

    def forward(self, x):
        return self.classifier(self.layers(x).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def space():
    widths = [aw.Choice(4, 8, 12), aw.Choice(4, 8, 12)]
    return aw.Space(Small, widths=widths, kernel=aw.Choice(1, 3, 5))


def small(first, second, kernel):
    """By the numbers of the options."""
    return aw.Architecture((("widths[0]", first), ("widths[1]", second), ("kernel", kernel)))


@dataclass(frozen=True)
class Watched(TakesPart):
    """Notes what networks answer, in evaluation mode, as they begin and as they end."""

    began: dict = field(default_factory=dict)
    ended: dict = field(default_factory=dict)

    def train(self, space, trial, course=Course(), briefing=None):
        inputs = self.task.prepare(self.task.valid.inputs[:50])

        @torch.no_grad()
        def note(book, network):
            was_training = network.training
            book[trial] = network.eval()(inputs)
            network.train(was_training)

        course = course.and_begin(lambda network: note(self.began, network))
        return self.of.train(space, trial, course.and_finish(lambda network: note(self.ended, network)), briefing)


def asked(estimator, space, history, trial):
    """As a search asks."""
    number, briefing = history.ask(trial), estimator.briefing(space, history, trial)
    return history.append(number, estimator.estimate(space, trial, briefing))


def test_an_equal_child_begins_where_its_parent_ended(task, space):
    watched, history = Watched(Inherited(Training(task, epochs=1, device="cpu"))), History("valid_accuracy")
    first, second = aw.Trial(small(1, 1, 1)), aw.Trial(small(1, 1, 1), seed=1, parent=0)
    alone = asked(watched, space, history, first)
    child = asked(watched, space, history, second)
    assert (alone.metrics["inherited"], alone.metrics["exact"]) == (0.0, 0.0)
    assert (child.metrics["inherited"], child.metrics["exact"]) == (1.0, 1.0)
    assert torch.equal(watched.began[second], watched.ended[first])
    assert not torch.equal(watched.ended[second], watched.ended[first])
    assert set(child.metrics) == watched.metrics


def test_evolution_is_lamarckian(task, space):
    watched = Watched(Inherited(Training(task, epochs=1, device="cpu")))
    run = aw.search(space, aw.strategies.RegularizedEvolution(3, 2), watched, objectives="valid_accuracy", seed=1)
    history = list(aw.budget(run, evaluations=9))
    children = born(history)
    assert len(children) >= 5
    scratch = Watched(Training(task, epochs=1, device="cpu"))
    for child in children:
        assert child.metrics["inherited"] > 0
        parent = ancestor(run.history, child.trial)
        scratch.estimate(space, replace(child.trial, parent=None))
        wanted, began = watched.ended[parent], watched.began[child.trial]
        alone = scratch.began[replace(child.trial, parent=None)]
        assert not torch.equal(began, alone)
        grew = all(new >= old for (_, new), (_, old) in zip(child.trial.architecture, parent.architecture, strict=True))
        assert child.metrics["exact"] == float(grew)
        assert torch.allclose(began, wanted, atol=1e-4) == grew


def test_hill_climbing_goes_on_from_the_function_that_a_network_is(task):
    watched = Watched(Inherited(Training(task, epochs=1, device="cpu")))
    made = aw.spaces.growing(stages=2, max_layers=2, widths=(4, 8), kernels=(3,))
    strategy = aw.strategies.NASH(children=3, morphisms=2)
    run = aw.budget(aw.search(made, strategy, watched, objectives="valid_accuracy", seed=0), evaluations=7)
    children = born(run)
    assert len(children) == 6
    for child in children:
        assert child.metrics["exact"] == 1.0
        wanted = watched.ended[run.history[child.trial.parent].trial]
        assert torch.allclose(watched.began[child.trial], wanted, atol=1e-3)


def test_weights_come_from_the_nearest_ancestor_that_trained(space):
    first, second, third = small(1, 1, 1), small(1, 2, 1), small(2, 2, 2)
    score = {"valid_accuracy": 0.5}
    history = History(
        "valid_accuracy",
        [
            aw.Evaluation(aw.Trial(first), score),
            aw.Evaluation(aw.Trial(second, parent=0), failure="too large", rejected=True),
            aw.Evaluation(aw.Trial(third, parent=1), failure="it diverged"),
            aw.Evaluation(aw.Trial(first, parent=2), score, reused=0),
            aw.Evaluation(aw.Trial(second), failure="it diverged"),
        ],
    )
    found = [ancestor(history, aw.Trial(third, parent=parent)) for parent in (None, 0, 1, 2, 3, 4)]
    assert found == [None, *[history[0].trial] * 4, None]


def test_the_end_of_a_history_hands_down_weights_of_its_own(task, space):
    """Whose repetitions and parents were answered before it: those positions are others', or nobody's."""
    first, second = small(1, 1, 1), small(2, 1, 1)
    score = {"valid_accuracy": 0.5}
    given = [
        aw.Evaluation(aw.Trial(second), score),
        aw.Evaluation(aw.Trial(first, parent=30), score, reused=0),
        aw.Evaluation(aw.Trial(first, seed=1), score, reused=40),
        aw.Evaluation(aw.Trial(first, seed=2, parent=31), failure="it diverged"),
    ]
    estimator = Inherited(Training(task, epochs=1))
    strategy = aw.strategies.RegularizedEvolution(3, 2)
    run = aw.search(space, strategy, estimator, objectives="valid_accuracy", history=given)
    found = [ancestor(run.history, aw.Trial(second, parent=parent)) for parent in range(4)]
    assert found == [aw.Trial(second), aw.Trial(first), aw.Trial(first, seed=1), None]
    assert [item.failure for item in aw.budget(run, evaluations=len(given) + 2)] == [None, None]


def born(history):
    """The evaluations of children, without repeated answers."""
    return [item for item in history if item.trial.parent is not None and item.reused is None]


def evolved(space, task, folder, executor=None, evaluations=8):
    """The evaluations of a recorded search; what the folder holds is not searched again."""
    strategy, estimator = aw.strategies.RegularizedEvolution(3, 2), Inherited(Training(task, epochs=1))
    run = aw.search(space, strategy, estimator, objectives="valid_accuracy", executor=executor, seed=2)
    with aw.record(aw.budget(run, evaluations=evaluations), folder) as recorded:
        for _ in recorded:
            pass
    return [replace(item, cost=0.0) for item in run.history]


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(task, space, tmp_path):
    whole = evolved(space, task, tmp_path / "whole")
    evolved(space, task, tmp_path / "parts", evaluations=4)
    assert evolved(space, task, tmp_path / "parts") == whole
    kept = list((tmp_path / "whole" / "checkpoints").iterdir())
    assert len(kept) == len({(item.trial.architecture, item.trial.seed) for item in whole if item.reused is None})


def test_a_run_in_another_place_finds_its_weights(task, space, tmp_path):
    evolved(space, task, tmp_path / "here", evaluations=4)
    (tmp_path / "here").rename(tmp_path / "there")
    children = born(evolved(space, task, tmp_path / "there")[4:])
    assert children
    assert all(item.metrics["inherited"] > 0 for item in children)


def test_worker_processes_share_weights_through_the_folder(task, space, tmp_path):
    children = born(evolved(space, task, tmp_path, aw.Processes(2)))
    assert len(children) >= 3
    assert all(item.metrics["inherited"] > 0 for item in children)


def test_weights_that_are_gone_are_done_without(task, space, tmp_path):
    kept, history = Inherited(Training(task, epochs=1)).stored(str(tmp_path)), History("valid_accuracy")
    asked(kept, space, history, aw.Trial(small(1, 1, 1)))
    (file,) = (tmp_path / "checkpoints").iterdir()
    child = aw.Trial(small(1, 2, 1), parent=0)
    assert asked(kept, space, history, child).metrics["inherited"] > 0
    file.unlink()
    again = asked(kept, space, history, child)
    assert (again.metrics["inherited"], again.metrics["exact"]) == (0.0, 0.0)
    alone = Training(task, epochs=1).estimate(space, child)
    assert again.metrics["valid_loss"] == alone.metrics["valid_loss"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_an_evaluation_counts_though_its_weights_cannot_be_kept(task, space, tmp_path):
    kept, history = Inherited(Training(task, epochs=1)).stored(str(tmp_path)), History("valid_accuracy")
    with full_disk(2000), pytest.warns(RuntimeWarning, match=r"can't write to .*checkpoints .*train from scratch"):
        assert asked(kept, space, history, aw.Trial(small(1, 1, 1))).failure is None
    assert not list((tmp_path / "checkpoints").iterdir())
    assert asked(kept, space, history, aw.Trial(small(1, 2, 1), parent=0)).metrics["inherited"] == 0.0


def test_a_promotion_continues_its_own_training(task, space, tmp_path):
    kept, history = Inherited(Training(task, epochs=3)).stored(str(tmp_path)), History("valid_accuracy")
    asked(kept, space, history, aw.Trial(small(1, 1, 1), fidelity=0.34))
    promoted = asked(kept, space, history, aw.Trial(small(1, 1, 1), parent=0))
    through = Training(task, epochs=3).estimate(space, aw.Trial(small(1, 1, 1)))
    assert promoted.metrics["epochs"] == 2.0
    assert promoted.curve == through.curve
    assert promoted.metrics["inherited"] == 1.0


def test_a_training_that_is_ended_hands_down_too(task, space, tmp_path):
    kept, history = Inherited(Training(task, epochs=3)).stored(str(tmp_path)), History("valid_accuracy")
    first = aw.Trial(small(1, 1, 1))
    ended = kept.train(space, first, Course().and_watch(lambda curve, _: True), kept.briefing(space, history, first))
    history.append(history.ask(first), ended)
    assert (len(ended.curve), [file.suffix for file in (tmp_path / "checkpoints").iterdir()]) == (1, [".safetensors"])
    assert asked(kept, space, history, aw.Trial(small(1, 1, 1), seed=1, parent=0)).metrics["exact"] == 1.0


@pytest.mark.parametrize("along", ["width", "resolution"])
def test_parents_of_low_fidelity_hand_down_too(task, space, along):
    estimator, history = Inherited(Training(task, epochs=1, along=(along,))), History("valid_accuracy")
    asked(estimator, space, history, aw.Trial(small(1, 1, 1), fidelity=0.5))
    same = asked(estimator, space, history, aw.Trial(small(1, 1, 1), fidelity=0.5, seed=1, parent=0))
    full = asked(estimator, space, history, aw.Trial(small(1, 1, 1), parent=0))
    assert same.metrics["exact"] == 1.0
    assert full.metrics["inherited"] > 0


class Flat(nn.Module):
    """Reads all pixels at once: it takes one size of images only."""

    def __init__(self, signature, units):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(signature.input_shape), units),
            nn.ReLU(),
            nn.Linear(units, signature.outputs),
        )

    def forward(self, x):
        return self.layers(x)


def test_a_parent_of_another_resolution_is_neither_compared_nor_a_teacher(task):
    space, history = aw.Space(Flat, units=aw.Choice(4, 8)), History("valid_accuracy")
    estimator = Inherited(Training(task, epochs=1, along=("resolution",)), distillation=2)
    first = aw.Architecture((("units", 0),))
    asked(estimator, space, history, aw.Trial(first, fidelity=0.5))
    promoted = asked(estimator, space, history, aw.Trial(first, parent=0))
    assert promoted.metrics["inherited"] > 0
    assert promoted.metrics["exact"] == 0.0
    assert promoted.metrics["epochs"] == 1.0


@pytest.mark.parametrize("recorded", [True, False])
def test_an_answer_that_was_lost_is_given_again(task, space, tmp_path, recorded):
    """As after a kill between checkpoint and answer: the training is there and nothing begins."""
    estimator = Inherited(Training(task, epochs=3, checkpoints=str(tmp_path)), distillation=1)
    estimator = estimator.stored(str(tmp_path)) if recorded else estimator
    history = History("valid_accuracy")
    asked(estimator, space, history, aw.Trial(small(1, 1, 1)))
    child = aw.Trial(small(2, 1, 0), fidelity=0.34, parent=0)
    briefing = estimator.briefing(space, history, child)
    lost, again = (estimator.estimate(space, child, briefing) for _ in range(2))
    assert 0 < lost.metrics["inherited"] < 1
    assert again.metrics["inherited"] == lost.metrics["inherited"]
    assert (lost.metrics["exact"], again.metrics["exact"]) == (0.0, 0.0)
    assert again.metrics["epochs"] >= 1.0  # those of distillation, at least
    asked(estimator, space, history, child)
    promoted = asked(estimator, space, history, aw.Trial(small(2, 1, 0), parent=1))
    assert (promoted.metrics["inherited"], promoted.metrics["epochs"]) == (1.0, 2.0)


def test_distillation_teaches_children_that_are_not_exact(task, space):
    watched = Watched(Inherited(Training(task, epochs=1, device="cpu"), distillation=2))
    plain = Watched(Inherited(Training(task, epochs=1, device="cpu")))
    parent, child, twin = (
        aw.Trial(small(1, 1, 1)),
        aw.Trial(small(0, 1, 0), parent=0),
        aw.Trial(small(1, 1, 1), seed=1, parent=0),
    )
    apart, epochs = [], []
    for estimator in (watched, plain):
        history = History("valid_accuracy")
        asked(estimator, space, history, parent)
        answers = [asked(estimator, space, history, trial) for trial in (child, twin)]
        epochs.append([answer.metrics["epochs"] for answer in answers])
        wanted, made = (outputs.softmax(dim=1) for outputs in (estimator.ended[parent], estimator.began[child]))
        apart.append(float((wanted - made).abs().mean()))
    assert epochs == [[3.0, 1.0], [1.0, 1.0]]
    assert apart[0] < apart[1]


class Focal(Task):
    """Its loss picks the probabilities of the right classes out by number (Lin et al., 2017)."""

    def loss(self, outputs, targets, label_smoothing=0.0):
        right = outputs.log_softmax(dim=1).gather(1, targets.unsqueeze(1))
        return -((1.0 - right.exp()) ** 2 * right).mean()


def test_distillation_needs_nothing_of_the_tasks_loss(task, space):
    estimator = Inherited(Training(Focal("focal", lambda: task.splits), epochs=1), distillation=1)
    history = History("valid_accuracy")
    asked(estimator, space, history, aw.Trial(small(1, 1, 1)))
    child = asked(estimator, space, history, aw.Trial(small(0, 1, 0), parent=0))
    assert (child.failure, child.metrics["epochs"]) == (None, 2.0)


def test_language_models_are_distilled_too(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat,\nthe rat sat on the cat.\n" * 10)
    task, cells = aw.tasks.text_file(tmp_path / "text.txt", length=6), aw.spaces.darts_rnn(hidden=8, embedding=6)
    estimator = Inherited(Training(task, epochs=1), distillation=1)
    run = aw.search(cells, aw.strategies.RegularizedEvolution(3, 2), estimator, objectives="min:valid_loss")
    history = list(aw.budget(run, evaluations=6))
    assert [item.failure for item in history] == [None] * 6
    assert [item.metrics["epochs"] for item in born(history)] == [2.0] * 3


def test_distillation_crops_and_cuts_out_less_of_small_images(task, space, monkeypatch):
    given, seen, learn = Hyperparameters(crop=2, cutout=4), [], Distilling.learn

    def noted(fit, inputs, targets):
        seen.append((fit.given.crop, fit.given.cutout, inputs.shape[-1]))
        return learn(fit, inputs, targets)

    monkeypatch.setattr(Distilling, "learn", noted)
    estimator = Inherited(
        Training(Task("digits", lambda: task.splits, given), epochs=1, along=("resolution",)), distillation=1
    )
    history = History("valid_accuracy")
    asked(estimator, space, history, aw.Trial(small(1, 1, 1), fidelity=0.5))
    asked(estimator, space, history, aw.Trial(small(0, 1, 0), fidelity=0.5, parent=0))
    assert set(seen) == {(1, 2, 4)}


def test_weights_are_the_trainings_own(task, space, tmp_path):
    """Such as in `Staged(Inherited(...), Inherited(...))`, of which both keep theirs in the run's folder."""
    trial = aw.Trial(small(1, 1, 1))
    short, long = Training(task, epochs=1), Training(task, epochs=2)
    different = (Inherited(short), Inherited(long), Inherited(short, distillation=1), Inherited(Watched(short)))
    names = {one.stored(str(tmp_path))._name(space, trial) for one in different}
    assert len(names) == len(different)
    elsewhere = Inherited(replace(short, device="cpu")).stored(str(tmp_path / "elsewhere"))
    assert elsewhere._name(space, trial) == Inherited(short)._name(space, trial)


def test_it_keeps_the_promises_of_an_estimator(task, space, tmp_path):
    check_estimator(Inherited(Training(task, epochs=2)), space, architectures=2, fidelities=(1.0, 0.5))
    check_estimator(Inherited(Training(task, epochs=1)).stored(str(tmp_path)), space, architectures=1)


def test_mistakes_are_named(task):
    with pytest.raises(ArchwrightError, match="takes part in a training"):
        Inherited(aw.estimators.WeightSharing(task))
    with pytest.raises(ArchwrightError, match="0 epochs or more"):
        Inherited(Training(task), distillation=-1)
