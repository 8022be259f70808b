import sys
import weakref
from dataclasses import replace

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.estimators import Training
from archwright.estimators.course import Course
from archwright.estimators.training import Setting, fewer_epochs, less_data, lower_resolution, narrower
from archwright.tasks.task import Hyperparameters, Split, Splits, Task
from archwright.training.loop import Fit
from tests.runtime.full import full_disk

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task():
    return aw.tasks.digits()


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


@pytest.fixture(scope="module")
def architecture(space):
    return aw.Architecture.from_json({f"edges[{i}]": value for i, value in enumerate((3, 1, 2, 1, 3, 1))})


@pytest.fixture(scope="module")
def setting(task):
    return Setting(task.train, task.valid, task.signature, 10, 10)


def metrics(evaluation):
    return {name: value for name, value in evaluation.metrics.items() if name != "epochs"}


def test_an_evaluation_has_metrics_curve_and_cost(task, space, architecture):
    estimator = Training(task, epochs=3, costs=(aw.Parameters(), aw.Flops(), aw.Memory(), aw.Latency(repetitions=3)))
    answer = estimator.estimate(space, aw.Trial(architecture))
    assert set(answer.metrics) == estimator.metrics
    assert len(answer.curve) == 3
    assert answer.curve[-1] == answer.metrics["valid_accuracy"]
    assert answer.cost > 0
    network = space.build(architecture, task.signature)
    assert answer.metrics["parameters"] == sum(p.numel() for p in network.parameters())


def test_preflight_knows_the_costs_without_training(task, space, architecture):
    estimator = Training(task, epochs=1, costs=(aw.Parameters(), aw.Flops(), aw.Latency()))
    before = estimator.preflight(space, aw.Trial(architecture))
    assert set(before) == {"parameters", "flops"}


def test_fewer_epochs_on_the_same_schedule(setting):
    assert fewer_epochs(setting, 0.3).epochs == 3
    assert fewer_epochs(setting, 0.01).epochs == 1
    assert fewer_epochs(setting, 0.3).horizon == 10


def test_a_larger_share_of_the_data_holds_every_smaller_one(setting):
    few, more = less_data(setting, 0.2).train, less_data(setting, 0.5).train
    assert (len(few), len(more)) == (216, 540)
    assert torch.equal(more.inputs[:216], few.inputs)
    assert len(less_data(setting, 0.2).valid) == len(setting.valid)


def test_lower_resolution_averages_areas(setting):
    small = lower_resolution(setting, 0.5)
    assert small.signature.input_shape == (1, 4, 4)
    assert small.train.inputs.shape[1:] == small.valid.inputs.shape[1:] == (1, 4, 4)
    by_hand = setting.train.inputs[0, 0, :2, :2].float().mean()
    assert abs(float(small.train.inputs[0, 0, 0, 0]) - float(by_hand)) <= 0.5


@pytest.mark.parametrize(("recipe", "shape"), [(aw.tasks.cifar10, (3, 32, 32)), (aw.tasks.fashion_mnist, (1, 28, 28))])
def test_crop_and_cutout_shrink_with_the_images_and_leave_something_of_each(recipe, shape):
    images = torch.randint(1, 256, (200, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split, given = Split(images, torch.arange(200) % 2), recipe().hyperparameters
    task = Task("bright", lambda: Splits(split, split, split, ("a", "b")), given)
    network = nn.Linear(1, 1)
    for fidelity in (1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 9, 1 / 27):
        setting = Training(task, along=("resolution",)).setting(fidelity, CPU)
        fit = Fit(network, task, setting.train, setting.scaled(given), 1, 0, CPU)
        augmented = fit._augmented(setting.train.inputs, torch.Generator().manual_seed(1))
        assert (augmented != 0).flatten(1).any(1).all()
        side = augmented.shape[-1]
        assert abs(setting.scaled(given).crop - given.crop * side / shape[-1]) <= 0.5
        assert abs(setting.scaled(given).cutout - given.cutout * side / shape[-1]) <= 0.5
    assert Training(task, along=("epochs",)).setting(0.5, CPU).scaled(given) == given


def test_a_training_on_small_images_crops_and_cuts_out_less(task, space, architecture, monkeypatch):
    seen, run_epoch = [], Fit.run_epoch

    def noted(fit):
        seen.append((fit.given.crop, fit.given.cutout))
        return run_epoch(fit)

    monkeypatch.setattr(Fit, "run_epoch", noted)
    own = Hyperparameters(crop=2, cutout=4, precision="float32")
    estimator = Training(task, epochs=1, along=("resolution",), hyperparameters=own)
    for fidelity in (1.0, 0.5, 1 / 4):
        estimator.estimate(space, aw.Trial(architecture, fidelity))
    assert seen == [(2, 4), (1, 2), (0, 1)]


def test_resolution_needs_images(setting):
    with pytest.raises(ArchwrightError, match="needs images"):
        lower_resolution(replace(setting, signature=aw.Signature((5,), 2)), 0.5)


def test_narrower_networks_have_fewer_channels(setting, space, architecture):
    narrow = space.build(architecture, narrower(setting, 0.5).signature)
    assert narrow.stem[0].out_channels == 2


@pytest.mark.parametrize(
    "along", [("epochs",), ("data",), ("resolution",), ("width",), ("epochs", "data", "resolution")]
)
def test_lower_fidelity_answers_and_costs_are_of_the_full_network(task, space, architecture, along):
    estimator = Training(task, epochs=2, along=along)
    full, low = (estimator.estimate(space, aw.Trial(architecture, fidelity)) for fidelity in (1.0, 0.5))
    assert low.metrics["parameters"] == full.metrics["parameters"]
    assert low.metrics["valid_loss"] != full.metrics["valid_loss"]
    assert low.metrics["epochs"] == (1.0 if "epochs" in along else 2.0)


def test_continuing_to_more_epochs_equals_training_through(task, space, architecture, tmp_path):
    through = Training(task, epochs=4).estimate(space, aw.Trial(architecture))
    kept = Training(task, epochs=4).stored(str(tmp_path))
    parts = [kept.estimate(space, aw.Trial(architecture, fidelity)) for fidelity in (0.25, 0.5, 1.0)]
    assert [part.metrics["epochs"] for part in parts] == [1.0, 1.0, 2.0]
    assert metrics(parts[-1]) == metrics(through)
    assert parts[-1].curve == through.curve
    assert not list((tmp_path / "checkpoints").iterdir())  # the end has nothing to continue


def test_a_list_of_fidelities_continues_too(task, space, architecture, tmp_path):
    kept = Training(task, epochs=4, along=["epochs"]).stored(str(tmp_path))
    parts = [kept.estimate(space, aw.Trial(architecture, fidelity)) for fidelity in (0.25, 0.5)]
    assert [part.metrics["epochs"] for part in parts] == [1.0, 1.0]


def test_a_checkpoint_is_read_on_the_cpu_and_let_go(task, space, architecture, tmp_path, monkeypatch):
    """On a GPU it would take memory twice, and Adam's counts of steps would be waited for in each step."""
    kept, read, load, run_epoch = Training(task, epochs=4).stored(str(tmp_path)), [], torch.load, Fit.run_epoch
    kept.estimate(space, aw.Trial(architecture, 0.25))

    def noted(path, map_location=None, **others):
        assert map_location == "cpu"
        state = load(path, map_location=map_location, **others)
        read.extend(weakref.ref(value) for value in state["network"].values())
        return state

    def alone(fit):
        assert read
        assert all(value() is None for value in read)
        return run_epoch(fit)

    monkeypatch.setattr(torch, "load", noted)
    monkeypatch.setattr(Fit, "run_epoch", alone)
    kept.estimate(space, aw.Trial(architecture, 0.5))


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_an_evaluation_counts_though_its_checkpoint_cannot_be_kept(task, space, architecture, tmp_path):
    kept = Training(task, epochs=2).stored(str(tmp_path))
    with full_disk(2000), pytest.warns(RuntimeWarning, match=r"can't write to .*checkpoints .*begins anew") as told:
        parts = [kept.estimate(space, aw.Trial(architecture, fidelity=0.5, seed=seed)) for seed in range(2)]
    assert len(told) == 1
    assert [part.metrics["epochs"] for part in parts] == [1.0, 1.0]
    assert not list((tmp_path / "checkpoints").iterdir())
    assert kept.estimate(space, aw.Trial(architecture)).metrics["epochs"] == 2.0


def test_checkpoints_of_other_settings_are_not_mixed_up(task, space, architecture, tmp_path):
    for epochs in (4, 8):
        Training(task, epochs=epochs).stored(str(tmp_path)).estimate(space, aw.Trial(architecture, 0.25))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def test_what_watches_sees_a_continued_training_from_its_first_epoch(task, space, architecture, tmp_path):
    kept, seen = Training(task, epochs=4).stored(str(tmp_path)), []
    part = kept.estimate(space, aw.Trial(architecture, 0.5))
    course = Course().and_watch(lambda curve, epochs: seen.append((tuple(curve), epochs)) or len(curve) == 2)
    answer = kept.train(space, aw.Trial(architecture), course)
    assert seen == [(part.curve[:1], 4), (part.curve, 4)]
    assert answer.metrics == {**part.metrics, "epochs": 0.0}
    assert answer.curve == part.curve


def ending(epochs):
    return Course().and_watch(lambda curve, _: len(curve) == epochs)


def test_a_training_that_is_ended_at_full_fidelity_leaves_nothing_to_continue(task, space, architecture, tmp_path):
    kept = Training(task, epochs=4).stored(str(tmp_path))
    answer = kept.train(space, aw.Trial(architecture), ending(2))
    assert len(answer.curve) == 2
    assert not list(tmp_path.rglob("*.pt"))
    again = kept.train(space, aw.Trial(architecture), ending(2))  # as after a kill before the answer was stored
    assert (again.metrics, again.curve) == (answer.metrics, answer.curve)
    kept.train(space, aw.Trial(architecture, 0.75), ending(1))  # what is ended lower may be promoted
    assert len(list(tmp_path.rglob("*.pt"))) == 1
    assert kept.train(space, aw.Trial(architecture), ending(2)).metrics["epochs"] == 1.0
    assert not list(tmp_path.rglob("*.pt"))


def test_a_low_fidelity_that_comes_to_all_epochs_is_continued_too(task, space, architecture, tmp_path):
    kept = Training(task, epochs=2).stored(str(tmp_path))
    part = kept.estimate(space, aw.Trial(architecture, 0.9))
    whole = kept.estimate(space, aw.Trial(architecture, parent=0))
    assert (part.metrics["epochs"], whole.metrics["epochs"]) == (2.0, 0.0)
    assert metrics(whole) == metrics(part)


class Wrong(nn.Module):
    def __init__(self, signature, outputs, width=8):
        super().__init__()
        self.linear = nn.Linear(64, outputs)

    def forward(self, x):
        return self.linear(x.flatten(1))


def test_a_network_of_the_wrong_shape_is_named(task):
    space = aw.Space(Wrong, outputs=aw.Choice(7))
    with pytest.raises(ArchwrightError, match=r"returns \(2, 7\), but the task needs \(2, 10\)"):
        Training(task).estimate(space, aw.Trial(aw.Architecture((("outputs", 0),))))


def test_a_width_that_changes_nothing_is_named(task):
    space = aw.Space(Wrong, outputs=aw.Choice(10))
    with pytest.raises(ArchwrightError, match=r"signature\.channels"):
        Training(task, epochs=1, along=("width",)).estimate(space, aw.Trial(aw.Architecture((("outputs", 0),)), 0.5))


def test_misspelt_fidelities_name_the_near_ones(task):
    with pytest.raises(ArchwrightError, match="did you mean epochs"):
        Training(task, along=("epoch",))
    with pytest.raises(ArchwrightError, match=r"along is a list, such as \['epochs'\]"):
        Training(task, along="epochs")
    with pytest.raises(ArchwrightError, match="at least 1 epoch"):
        Training(task, epochs=0)


def test_regression(space):
    torch.manual_seed(0)
    inputs = torch.randn(300, 5)
    targets = inputs[:, :2] * 2 + 1

    class Linear(nn.Module):
        def __init__(self, signature, hidden):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(5, hidden), nn.ReLU(), nn.Linear(hidden, signature.outputs))

        def forward(self, x):
            return self.body(x)

    task = aw.tasks.arrays(inputs.numpy(), targets.numpy())
    answer = Training(task, epochs=100).estimate(
        aw.Space(Linear, hidden=aw.Choice(32)), aw.Trial(aw.Architecture((("hidden", 0),)))
    )
    assert answer.metrics["valid_r2"] > 0.8
    assert "valid_accuracy" not in answer.metrics


def test_a_checkpoint_that_went_further_does_not_stand_in_the_way(task, space, architecture, tmp_path):
    kept = Training(task, epochs=4).stored(str(tmp_path))
    first, later, again = (kept.estimate(space, aw.Trial(architecture, fidelity)) for fidelity in (0.25, 0.75, 0.25))
    assert metrics(again) == metrics(first)
    assert later.metrics["epochs"] == 2.0
    assert kept.estimate(space, aw.Trial(architecture, 1.0)).metrics["epochs"] == 1.0  # of the further one


def test_a_run_trains_its_winner_once_on_unchanged_data(tmp_path):
    inputs, targets = torch.randn(120, 4), torch.arange(120) % 3

    class Linear(nn.Module):
        def __init__(self, signature, bias):
            super().__init__()
            self.linear = nn.Linear(4, signature.outputs, bias=bias)

        def forward(self, x):
            return self.linear(x)

    task, space = aw.tasks.arrays(inputs, targets), aw.Space(Linear, bias=aw.Choice(True))
    run = aw.search(space, aw.strategies.Exhaustive(), Training(task, epochs=1), objectives="valid_accuracy")
    list(aw.record(run, tmp_path))
    other = aw.tasks.arrays(inputs + 1, targets)
    with pytest.raises(ArchwrightError, match="not what it was"):
        aw.load(tmp_path, space=space).best.train(other, epochs=1)
    model = aw.load(tmp_path, space=space).best.train(task, epochs=1)
    score = aw.load(tmp_path).result["test_accuracy"]
    kept = aw.load(tmp_path, space=space).best.train(task, epochs=5)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), kept.parameters(), strict=True))
    assert aw.load(tmp_path).result["test_accuracy"] == score
