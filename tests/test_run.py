"""The winner of a run: picked, trained to the end whatever comes between, scored once; and how a run goes on."""

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

import archwright as aw
from archwright import winner as winners
from archwright.core.errors import ArchwrightError
from archwright.estimators import Training
from archwright.runtime.store import StoreError, alone
from archwright.training.loop import Fit


class Net(nn.Module):
    """With dropout and batch-norm: to go on, more than weights is needed."""

    def __init__(self, signature, hidden):
        super().__init__()
        if hidden == 7:
            raise ValueError("seven")
        layers = nn.Linear(4, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.2)
        self.body = nn.Sequential(*layers, nn.Linear(hidden, signature.outputs))

    def forward(self, x):
        return self.body(x)


class OtherNet(nn.Module):
    def __init__(self, signature):
        nn.Module.__init__(self)
        self.body = nn.Linear(4, signature.outputs)


SPACE = aw.Space(Net, hidden=aw.Choice(4, 7, 8))


@pytest.fixture
def task():
    inputs = torch.randn(120, 4, generator=torch.Generator().manual_seed(1))
    return aw.tasks.arrays(inputs, (inputs[:, 0] > 0).long() + (inputs[:, 1] > 1).long())


@pytest.fixture
def folder(task, tmp_path):
    wanted = aw.search(SPACE, aw.strategies.Exhaustive(), Training(task, epochs=1), objectives="valid_accuracy")
    list(aw.record(wanted, tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture
def epochs(monkeypatch):
    """The epochs that are trained, by number; every state is kept."""
    trained, run_epoch = [], Fit.run_epoch

    def noted(fit):
        trained.append(fit.progress.epoch)
        return run_epoch(fit)

    monkeypatch.setattr(Fit, "run_epoch", noted)
    monkeypatch.setattr(winners, "KEPT_EVERY", 0.0)
    return trained


def best(folder):
    return aw.load(folder, space=SPACE).best


class Killed(BaseException):
    pass


def killed_after(epoch):
    def on_epoch(done, *_):
        if done == epoch:
            raise Killed

    return on_epoch


def equal(ours, theirs):
    kept, others = ours.state_dict(), theirs.state_dict()
    return all(torch.equal(kept[name], others[name]) for name in others)


def states(folder):
    return list((folder / "checkpoints").glob("winner-*"))


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_winner_whose_training_was_killed_ends_as_one_that_was_not(task, folder, tmp_path, epochs, epoch):
    through = best(folder).train(task, epochs=4, seed=3)
    whole = json.loads((folder / "result.json").read_text())
    for name in ("result.json", "model.safetensors"):
        (folder / name).unlink()
    with pytest.raises(Killed):
        best(folder).train(task, epochs=4, seed=3, on_epoch=killed_after(epoch))
    assert aw.load(folder).result is None
    del epochs[:]
    told = []
    again = best(folder).train(task, epochs=4, seed=3, on_epoch=lambda done, *_: told.append(done))
    assert epochs == list(range(epoch, 4))
    assert told == list(range(epoch + 1, 5))
    assert equal(again, through)
    assert equal(best(folder).trained(task), through)
    result = json.loads((folder / "result.json").read_text())
    assert {**result, "seconds": 0.0} == {**whole, "seconds": 0.0}
    assert states(folder) == []


def test_another_training_does_not_go_on_from_there(task, folder, epochs):
    with pytest.raises(Killed):
        best(folder).train(task, epochs=4, on_epoch=killed_after(2))
    for changed in ({"epochs": 5}, {"epochs": 4, "seed": 1}):
        del epochs[:]
        with pytest.raises(Killed):
            best(folder).train(task, **changed, on_epoch=killed_after(1))
        assert epochs == [0]
    best(folder).train(task, epochs=4)
    assert states(folder) == []  # of none of them


def test_a_network_that_is_another_one_since_is_said_so(task, folder, epochs, monkeypatch):
    with pytest.raises(Killed):
        best(folder).train(task, epochs=4, on_epoch=killed_after(2))
    monkeypatch.setattr(Net, "__init__", lambda self, signature, hidden: OtherNet.__init__(self, signature))
    with pytest.raises(ArchwrightError, match=r"winner-.*\.pt has kept is of another network .*: remove the file"):
        best(folder).train(task, epochs=4)


def test_between_two_states_of_a_short_training_nothing_is_written(task, folder, monkeypatch):
    monkeypatch.setattr(winners, "KEPT_EVERY", 1000.0)
    seen = []
    best(folder).train(task, epochs=3, on_epoch=lambda *_: seen.append(len(states(folder))))
    assert seen == [0, 0, 1]


def test_metrics_that_raise_cost_no_weights(task, folder, epochs, monkeypatch):
    monkeypatch.setattr(type(task), "metrics", lambda *_: 1 / 0)
    with pytest.raises(ArchwrightError, match=r"weights are in .*model\.safetensors.*ZeroDivisionError.*train again"):
        best(folder).train(task, epochs=2)
    assert (folder / "model.safetensors").exists()
    assert aw.load(folder).result is None
    monkeypatch.undo()
    assert epochs == [0, 1]
    model = best(folder).train(task, epochs=2)
    assert epochs == [0, 1]
    assert "test_accuracy" in aw.load(folder).result
    assert equal(best(folder).trained(task), model)


def test_weights_that_cannot_be_written_are_said_so_and_not_lost(task, folder, epochs, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.torch.save_model", full)
        with pytest.raises(StoreError, match=r"can't write .*model\.safetensors.*No space left.*train again"):
            best(folder).train(task, epochs=2)
    assert not list(folder.glob("*.part"))
    best(folder).train(task, epochs=2)
    assert epochs == [0, 1]


def test_a_state_that_cannot_be_kept_ends_no_training(task, folder, epochs, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(RuntimeWarning, match="No space left on device.*begins anew") as told:
        best(folder).train(task, epochs=3)
    assert len(told) == 1
    assert aw.load(folder).result["epochs"] == 3


def test_two_processes_train_no_winner_at_once(task, folder):
    with alone(folder), pytest.raises(StoreError, match="another process"):
        best(folder).train(task, epochs=1)
    assert aw.load(folder).result is None
    best(folder).train(task, epochs=1)
    with alone(folder):  # what is trained may be read
        assert best(folder).train(task, epochs=1)


def test_while_a_winner_is_trained_no_search_goes_on(task, folder):
    refused = []

    def on_epoch(*_):
        with pytest.raises(StoreError, match="another process"):
            aw.resume(folder, space=SPACE, strategy=aw.strategies.Exhaustive(), estimator=Training(task, epochs=1))
        refused.append(True)

    best(folder).train(task, epochs=1, on_epoch=on_epoch)
    assert refused


def test_who_was_second_finds_the_result(task, folder, monkeypatch):
    """The other process ends between the look for a result and the lock."""
    other, free = [], winners.alone

    def late(path):
        monkeypatch.setattr(winners, "alone", free)
        other.append(best(folder).train(task, epochs=1))
        scored.append((folder / "result.json").read_bytes())
        return free(path)

    scored = []
    monkeypatch.setattr(winners, "alone", late)
    model = best(folder).train(task, epochs=2)
    assert equal(model, other[0])
    assert (folder / "result.json").read_bytes() == scored[0]


def test_any_evaluation_that_succeeded_can_be_trained(task, folder):
    run = aw.load(folder, space=SPACE)
    other = next(number for number in (0, 2) if number != run.best.scored.position)
    run.winner(other).train(task, epochs=1)
    assert run.result["position"] == other
    with pytest.raises(ArchwrightError, match="can't be trained in it"):
        run.best.train(task, epochs=1)


def test_what_is_no_winner(folder):
    run = aw.load(folder, space=SPACE)
    for position in (3, -1):
        with pytest.raises(ArchwrightError, match=rf"has no evaluation {position}: it has evaluations 0 to 2"):
            run.winner(position)
    with pytest.raises(ArchwrightError, match=r"evaluation 1 of .* failed \(ValueError: seven"):
        run.winner(1)


def forget_the_data_of_the_result(folder):
    result = json.loads((folder / "result.json").read_text())
    del result["task"]
    (folder / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("forget", [lambda _: None, forget_the_data_of_the_result], ids=["as written", "older"])
def test_a_trained_network_goes_with_the_data_that_it_learnt(tmp_path, forget):
    def table(name, rows=60):
        lines = [f"{row % 7},{row % 5}.5,{(name, 'dog')[row % 2]}" for row in range(rows)]
        (tmp_path / "pets.csv").write_text("\n".join(["a,b,kind", *lines]))
        return aw.tasks.csv_file(tmp_path / "pets.csv")

    class Pets(Net):
        def __init__(self, signature, hidden):
            super().__init__(signature, hidden)
            self.body[0] = nn.Linear(*signature.input_shape, hidden)

    folder, space = tmp_path / "run", aw.Space(Pets, hidden=aw.Choice(4))
    wanted = aw.search(space, aw.strategies.Exhaustive(), Training(table("cat"), epochs=1), objectives="valid_accuracy")
    list(aw.record(wanted, folder))
    aw.load(folder, space=space).best.train(epochs=1)
    forget(folder)
    for changed in (table("cat", rows=61), table("bat")):
        trained = aw.load(folder, space=space).best
        for ask in (trained.trained, trained.train, lambda given=changed, of=trained: of.trained(given)):
            with pytest.raises(StoreError, match=r"not what evaluation 0 was trained on.*put the old data back"):
                ask()
        with pytest.raises(StoreError, match=r"the data of pets is not what it was when .* was searched: put the old"):
            aw.resume(folder, space=space)
    table("cat")
    assert aw.load(folder, space=space).best.trained()


def test_the_order_of_the_classes_is_of_the_data(folder, task, tmp_path):
    best(folder).train(task, epochs=1)
    splits = task.splits
    other = aw.tasks.Task("other", lambda: splits)
    assert best(folder).trained(other)  # whatever it is called now
    turned = aw.tasks.Task("arrays", lambda: replace(splits, classes=splits.classes[::-1]))
    with pytest.raises(StoreError, match="class names would be others"):
        best(folder).trained(turned)


@dataclass(frozen=True)
class Quick:
    """Answers at once, and says where it would compute."""

    device: str = "auto"

    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": 1.0})


NUMBERS = aw.Space(dict, edges=[aw.Choice(*range(5)) for _ in range(6)])


def quick(folder, evaluations):
    wanted = aw.search(NUMBERS, aw.strategies.Random(), Quick(), objectives="min:loss")
    return aw.record(aw.budget(wanted, evaluations=evaluations), folder)


class Pool(ThreadPoolExecutor):
    workers = 2


def test_a_run_goes_on_after_an_interruption_as_it_was_asked_to_last(tmp_path):
    list(quick(tmp_path, 2))
    before = aw.load(tmp_path).manifest
    parts = {"space": NUMBERS, "strategy": aw.strategies.Random(), "estimator": Quick("cpu")}
    with aw.resume(tmp_path, **parts, executor=Pool(2), budget=aw.Budget(evaluations=5)) as resumed:
        assert aw.load(tmp_path).manifest == before  # not before it goes on
        next(resumed)
    after = aw.load(tmp_path).manifest
    assert after["budget"]["evaluations"] == 5
    assert after["executor"] == {"name": "Pool", "workers": 2}
    assert after["estimator"]["arguments"] == {"device": "cpu"}
    same = set(before) - {"budget", "executor", "estimator"}
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    list(aw.resume(tmp_path, **parts))
    assert len(aw.load(tmp_path).history) == 5


def test_what_a_run_can_not_make_again_is_named(tmp_path):
    list(quick(tmp_path, 2))
    with pytest.raises(ArchwrightError, match=r"again, aw\.resume\(folder, space=\.\.\., estimator=\.\.\.\)$"):
        aw.resume(tmp_path)
    with pytest.raises(ArchwrightError, match=r"aw\.resume\(folder, estimator=\.\.\.\)$"):
        aw.resume(tmp_path, space=NUMBERS)
    other = aw.strategies.LocalSearch()
    with pytest.raises(
        StoreError, match=r"its strategy is random\(\), not local-search.*give what it was begun with; on"
    ):
        aw.resume(tmp_path, space=NUMBERS, estimator=Quick(), strategy=other)


def test_a_budget_that_is_set_after_recording_is_kept_too(tmp_path):
    wanted = aw.search(NUMBERS, aw.strategies.Random(), Quick(), objectives="min:loss")
    list(aw.budget(aw.record(wanted, tmp_path), evaluations=3))
    assert aw.load(tmp_path).manifest["budget"]["evaluations"] == 3


def test_a_run_is_what_a_budget_is_spent_on(tmp_path):
    list(quick(tmp_path, 3))
    run = aw.load(tmp_path)
    assert run.elapsed == run.times[-1]
    assert not aw.Budget(evaluations=3).allows(run)
    assert aw.Budget(evaluations=4).allows(run)
