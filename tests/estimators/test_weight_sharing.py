import gc
import json
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.estimators.shared_fit import Keeper, SharedFit
from archwright.spaces.nas_bench_201 import from_string
from archwright.spaces.operators import enumerate_all
from archwright.supernets import OpenNetwork
from archwright.tasks.task import Split, Splits, Task
from archwright.training.loop import DivergedError
from tests.runtime.full import full_disk


def tiny(examples=48):
    """Images of two classes that a mean tells apart."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(examples) % 2
    inputs = torch.randn(examples, 1, 6, 6, generator=generator) + targets[:, None, None, None]
    split = Split(inputs, targets)
    return Task("tiny", lambda: Splits(split, split, split, ("low", "high")))


def space():
    return aw.spaces.nasbench201(cells=1, channels=2)


def shared(**settings):
    hyperparameters = aw.tasks.Hyperparameters(batch_size=16, learning_rate=0.05, precision="float32")
    return aw.estimators.WeightSharing(tiny(), **{"epochs": 3, "shared": hyperparameters, "device": "cpu"} | settings)


def timeless(evaluations):
    return [replace(evaluation, cost=0.0) for evaluation in evaluations]


def relaxed(strategy=None, **settings):
    return aw.search(
        space(), strategy or aw.strategies.DARTS(learning_rate=0.1), shared(**settings), objectives="valid_accuracy"
    )


def test_an_epoch_is_an_evaluation_and_the_last_one_counts():
    run = relaxed()
    done = list(run)
    assert [evaluation.trial.fidelity for evaluation in done] == [1 / 3, 2 / 3, 1.0]
    assert run.history.best.evaluation == done[-1]
    assert all(evaluation.metrics["epochs"] == 1.0 for evaluation in done)
    assert run.ended == "the open network and its relaxation are trained"


def test_an_epoch_budget_ends_it():
    run = aw.budget(relaxed(), epochs=2)
    assert len(list(run)) == 2
    assert "budget of 2 epochs" in run.ended


def test_it_continues_after_the_last_finished_epoch_as_if_never_stopped(tmp_path):
    whole = timeless(aw.record(relaxed(epochs=4), tmp_path / "whole"))
    first = aw.record(relaxed(epochs=4), tmp_path / "parts")
    assert timeless([next(first), next(first)]) == whole[:2]
    first.close()
    assert timeless(aw.record(relaxed(epochs=4), tmp_path / "parts")) == whole[2:]
    assert timeless(aw.load(tmp_path / "parts").history) == whole
    kept, same = (
        torch.load(next((tmp_path / name / "checkpoints").glob("shared-*-4.pt")), weights_only=True)
        for name in ("parts", "whole")
    )
    for name, tensor in same["network"].items():
        assert torch.equal(kept["network"][name], tensor), name
    assert kept["trace"] == same["trace"]


def test_kill_9_in_the_middle_of_an_epoch_loses_that_epoch_alone(tmp_path):
    """The killed process may have stored a state whose evaluation it had not; both orders have to come out right."""
    program = (
        "import sys, archwright as aw\n"
        "sys.path.insert(0, 'tests/estimators')\n"
        "from tests.estimators.test_weight_sharing import relaxed\n"
        "for _ in aw.record(relaxed(epochs=40), sys.argv[1]): print('epoch', flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        assert process.stdout.readline()
    time.sleep(0.01)
    process.kill()
    process.wait()
    process.stdout.close()
    done = len(aw.load(tmp_path / "killed").history)
    assert 3 <= done < 40
    whole = timeless(aw.budget(relaxed(epochs=40), epochs=done + 3))
    rest = aw.budget(aw.record(relaxed(epochs=40), tmp_path / "killed"), epochs=done + 3)
    assert timeless(rest) == whole[done:]


def test_what_was_not_kept_can_not_be_continued():
    first = list(aw.budget(relaxed(), epochs=1))
    again = aw.search(space(), aw.strategies.DARTS(), shared(), objectives="valid_accuracy", history=first)
    with pytest.raises(ArchwrightError, match="the state after epoch 1 was not kept"):
        next(again)


def test_the_relaxation_is_written_down_for_the_report(tmp_path):
    list(aw.record(relaxed(), tmp_path))
    kept = json.loads((tmp_path / "checkpoints" / "relaxation.json").read_text())
    assert len(kept["epochs"]) == 3
    assert kept["choices"]["edges[0]"] == ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    assert all(sum(row) == pytest.approx(1.0) for row in kept["epochs"][0].values())


def test_a_strategy_that_proposes_trains_once_and_asks_often(tmp_path):
    run = aw.record(
        aw.budget(aw.search(space(), aw.strategies.Random(), shared(), objectives="valid_accuracy"), evaluations=6),
        tmp_path,
    )
    done = [evaluation for evaluation in run if evaluation.reused is None]
    assert [evaluation.metrics["epochs"] for evaluation in done] == [3.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert all(evaluation.failure is None for evaluation in done)
    fresh = shared().stored(str(tmp_path)).estimate(space(), done[3].trial)  # another process reads what was kept
    assert fresh.metrics == done[3].metrics


def test_an_architecture_scores_as_its_standalone_copy_with_calibrated_norms():
    estimator = shared()
    trial = aw.Trial(
        from_string("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|")
    )
    answer = estimator.estimate(space(), trial)
    fit, *_ = estimator._trained(space(), 0)
    alone = fit.open.standalone(trial.architecture)
    for module in alone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    alone.train()
    with torch.no_grad():
        for inputs in torch.split(tiny().prepare(tiny().train.inputs), 16):
            alone(inputs)
    alone.eval()
    outputs = alone(tiny().prepare(tiny().valid.inputs)).detach()
    accuracy = (outputs.argmax(1) == tiny().valid.targets).float().mean()
    assert answer.metrics["valid_accuracy"] == pytest.approx(float(accuracy))
    assert answer.metrics["valid_loss"] == pytest.approx(
        float(torch.nn.functional.cross_entropy(outputs, tiny().valid.targets)), abs=1e-5
    )


def test_a_gradient_strategy_needs_shared_weights():
    with pytest.raises(ArchwrightError, match="needs an estimator that shares weights"):
        aw.search(space(), aw.strategies.DARTS(), aw.estimators.Training(tiny()), objectives="valid_accuracy")


def test_a_loss_that_is_no_number_is_a_failed_evaluation():
    wild = aw.tasks.Hyperparameters(batch_size=16, learning_rate=1e30, precision="float32", gradient_clip=0.0)
    done = list(relaxed(shared=wild))
    assert done[-1].failure is not None
    assert "the training loss became" in done[-1].failure


class Users(torch.nn.Module):
    """A module of a user's own: ops are its constructor's arguments."""

    def __init__(self, signature, first, second):
        super().__init__()
        self.first, self.second = first(signature.input_shape[0], 4, 1), second(4, 4, 2)
        self.head = torch.nn.Linear(4, signature.outputs)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean((2, 3)))


@pytest.mark.parametrize(
    "strategy", [aw.strategies.DARTS(), aw.strategies.Random(), aw.strategies.RegularizedEvolution(4, 2)]
)
def test_a_users_module_needs_no_change(strategy):
    def conv3(i, o, stride):
        return torch.nn.Sequential(torch.nn.Conv2d(i, o, 3, stride, 1), torch.nn.BatchNorm2d(o), torch.nn.ReLU())

    def conv1(i, o, stride):
        return torch.nn.Conv2d(i, o, 1, stride)

    own = aw.Space(Users, first=aw.Choice(conv3, conv1), second=aw.Choice(conv3, conv1))
    run = aw.search(own, strategy, shared(), objectives="valid_accuracy")
    done = list(aw.budget(run, evaluations=3))
    assert len([item for item in done if item.reused is None]) == 3
    assert all(item.failure is None for item in done)
    assert isinstance(OpenNetwork(own, tiny().signature), torch.nn.Module)


def test_a_relaxation_that_a_size_can_not_follow_is_told_before_any_epoch():
    elastic = aw.spaces.elastic_mobile(widths=(4, 4, 4))
    for strategy in (aw.strategies.DARTS(), aw.strategies.GDAS(), aw.strategies.ProxylessNAS()):
        run = aw.search(elastic, strategy, shared(), objectives="valid_accuracy")
        with pytest.raises(ArchwrightError, match="can be no mixture"):
            next(run)


def test_a_run_that_failed_says_so_when_resumed(tmp_path):
    wild = aw.tasks.Hyperparameters(batch_size=16, learning_rate=1e30, precision="float32", gradient_clip=0.0)
    run = aw.record(relaxed(shared=wild), tmp_path)
    failed = list(run)[-1]
    assert failed.failure in run.ended
    again = aw.record(relaxed(shared=wild), tmp_path)
    assert list(again) == []
    assert failed.failure in again.ended


def test_a_pending_epoch_is_not_lost_to_the_budget(tmp_path):
    """A kill between the two writes of an epoch leaves its trial asked and not answered."""
    whole = list(relaxed())
    history = list(aw.budget(aw.record(relaxed(), tmp_path / "run"), evaluations=2))
    list(aw.budget(aw.record(relaxed(), tmp_path / "run"), evaluations=3))
    with closing(sqlite3.connect(tmp_path / "run" / "history.sqlite")) as connection:
        connection.execute("DELETE FROM evaluations WHERE position = 2")
        connection.commit()
    rest = aw.budget(aw.record(relaxed(), tmp_path / "run"), evaluations=3)
    assert len(rest.history.pending) == 1
    assert timeless(rest) == timeless(whole[2:])
    assert timeless(history) == timeless(whole[:2])


def test_an_objective_that_is_no_number_is_no_success():
    class Nan(aw.estimators.WeightSharing):
        def _evaluation(self, *given):
            return replace(super()._evaluation(*given), metrics={"valid_accuracy": float("nan")})

    task = tiny()
    run = aw.search(
        space(), aw.strategies.DARTS(), Nan(task, epochs=3, shared=shared().shared), objectives="valid_accuracy"
    )
    done = list(run)
    assert [item.failure for item in done] == ["valid_accuracy is nan"]
    assert run.history.best is None


def test_what_diverged_is_not_trained_again(monkeypatch):
    wild = aw.tasks.Hyperparameters(batch_size=16, learning_rate=1e30, precision="float32", gradient_clip=0.0)
    begun, run_epoch = [], SharedFit.run_epoch
    monkeypatch.setattr(SharedFit, "run_epoch", lambda fit: begun.append(fit) or run_epoch(fit))
    run = aw.search(space(), aw.strategies.Random(), shared(shared=wild), objectives="valid_accuracy")
    first, second = list(aw.budget(run, evaluations=2))[:2]
    assert "the training loss became" in first.failure
    assert first.failure == second.failure
    assert len(begun) <= 3  # the epochs of one training


def test_few_examples_are_calibrated_on_whole_batches():
    estimator = aw.estimators.WeightSharing(
        tiny(49), epochs=1, shared=aw.tasks.Hyperparameters(batch_size=16, precision="float32")
    )
    answer = estimator.estimate(space(), aw.Trial(next(iter(enumerate_all(space())))))
    assert answer.failure is None


def test_who_waits_for_another_worker_pays_nothing_and_builds_nothing(tmp_path, monkeypatch):
    estimator = shared(epochs=1).stored(str(tmp_path))
    Path(estimator.checkpoints).mkdir()
    built, built_early, taken = [], [], threading.Event()
    build = aw.estimators.WeightSharing._fit
    monkeypatch.setattr(aw.estimators.WeightSharing, "_fit", lambda *given: built.append(1) or build(*given))

    def train_elsewhere():
        with FileLock(Path(estimator.checkpoints) / f"{estimator._name(space(), 0)}.lock"):
            taken.set()
            time.sleep(1.5)
            built_early.extend(built)

    other = threading.Thread(target=train_elsewhere)
    other.start()
    taken.wait()
    started = time.perf_counter()
    answer = estimator.estimate(space(), aw.Trial(next(iter(enumerate_all(space())))))
    elapsed = time.perf_counter() - started
    other.join()
    assert elapsed > 1.4
    assert answer.cost < elapsed - 0.5
    assert built == [1]
    assert built_early == []


def test_trainings_of_several_seeds_share_the_data_and_keep_weights_alone():
    estimator = shared(epochs=1)
    first, second = (estimator._trained(space(), seed)[0] for seed in range(2))
    assert first.train is second.train
    assert first.valid is second.valid
    assert not first.optimizer.state
    assert all(parameter.grad is None for parameter in first.open.parameters())
    assert "_fits" not in estimator.__getstate__()


def test_what_diverged_needs_no_memory(monkeypatch):
    wild = aw.tasks.Hyperparameters(batch_size=16, learning_rate=1e30, precision="float32", gradient_clip=0.0)
    made, run_epoch = [], SharedFit.run_epoch
    monkeypatch.setattr(SharedFit, "run_epoch", lambda fit: made.append(weakref.ref(fit)) or run_epoch(fit))
    estimator = shared(shared=wild)
    for _ in range(2):
        with pytest.raises(DivergedError, match="the training loss became"):
            estimator._trained(space(), 0)
    gc.collect()
    assert made
    assert {fit() for fit in made} == {None}


def test_a_search_that_is_over_needs_no_memory(monkeypatch):
    """At once: a GPU's memory would not make Python's collector of cycles come."""
    made, run_epoch = [], SharedFit.run_epoch
    monkeypatch.setattr(SharedFit, "run_epoch", lambda fit: made.append(weakref.ref(fit)) or run_epoch(fit))
    gc.disable()
    try:
        list(relaxed())
        assert made
        assert {fit() for fit in made} == {None}
    finally:
        gc.enable()


def of_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory")


def of_python():
    raise MemoryError


def of_the_machine():
    torch.empty(2**50)


@pytest.mark.parametrize(
    ("runs_out", "said"),
    [
        (of_a_gpu, "OutOfMemoryError: CUDA out of memory"),
        (of_python, "MemoryError"),
        (of_the_machine, "RuntimeError: .*allocate memory"),
    ],
)
def test_memory_that_ran_out_is_no_result_and_the_search_goes_on_with_that_epoch(tmp_path, monkeypatch, runs_out, said):
    whole = timeless(relaxed())
    run_epoch, fails = SharedFit.run_epoch, [True]

    def fails_once(fit):
        if fit.progress.epoch == 1 and fails:
            fails.pop()
            runs_out()
        return run_epoch(fit)

    monkeypatch.setattr(SharedFit, "run_epoch", fails_once)
    run = aw.record(relaxed(), tmp_path)
    assert timeless([next(run)]) == whole[:1]
    with pytest.raises(ArchwrightError, match=rf"memory ran out in epoch 2 \({said}.*"):
        next(run)
    assert timeless(aw.record(relaxed(), tmp_path)) == whole[1:]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_shared_weights_that_cannot_be_kept_are_scored_all_the_same(tmp_path):
    kept, trial = shared().stored(str(tmp_path)), aw.Trial(next(iter(enumerate_all(space()))))
    with full_disk(2000), pytest.warns(RuntimeWarning, match=r"can't write to .*checkpoints"):
        answer = kept.estimate(space(), trial)
    assert answer.metrics == shared().estimate(space(), trial).metrics


def test_a_relaxation_that_cannot_be_kept_stops_and_goes_on_with_that_epoch(tmp_path, monkeypatch):
    whole = timeless(relaxed())
    run = aw.record(relaxed(), tmp_path)
    assert timeless([next(run)]) == whole[:1]
    monkeypatch.setattr(Keeper, "keep", lambda *_: False)
    with pytest.raises(ArchwrightError, match=r"can't keep the state after epoch 2 in .*free some space"):
        next(run)
    monkeypatch.undo()
    assert timeless(aw.record(relaxed(), tmp_path)) == whole[1:]


def test_a_state_is_read_to_the_cpu(tmp_path):
    """Counts of steps stay where they are read to, and on a GPU Adam would wait for them."""
    adam = aw.tasks.Hyperparameters(optimizer="adamw", batch_size=16, precision="float32")
    fit, keeper, read = shared(shared=adam)._fit(space(), 0), Keeper(tmp_path, "some"), []
    fit.run_epoch()
    keeper.keep(fit)
    keeper.restore(SimpleNamespace(device=torch.device("meta"), load_state=read.append))
    tensors = [tensor for state in read[0]["optimizer"]["state"].values() for tensor in state.values()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}


def test_statistics_are_calibrated_in_the_precision_that_is_scored(monkeypatch):
    estimator = shared(epochs=1, shared=replace(shared().shared, precision="bfloat16"))
    fit, *_ = estimator._trained(space(), 0)
    shortened, forward = [], OpenNetwork.forward

    def watched(network, *inputs):
        shortened.append(torch.is_autocast_enabled("cpu"))
        return forward(network, *inputs)

    monkeypatch.setattr(OpenNetwork, "forward", watched)
    fit.score_of(next(iter(enumerate_all(space()))))
    assert shortened == [True] * 4  # three batches of 16, and the validation split


def test_a_relaxed_search_goes_on_with_another_device(tmp_path):
    def run(device, epochs):
        search = aw.search(space(), aw.strategies.DARTS(), shared(device=device), objectives="valid_accuracy")
        with aw.record(aw.budget(search, epochs=epochs), tmp_path) as recorded:
            return [item.failure for item in recorded]

    assert run("auto", 1) == [None]
    assert run("cpu", 2) == [None]
