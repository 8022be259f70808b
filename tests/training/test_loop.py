import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.tasks import Hyperparameters
from archwright.training.augment import _beside, cutout, random_crop, random_flip
from archwright.training.loop import (
    DivergedError,
    Fit,
    gains_by_bfloat16,
    mixed_precision,
    pick_device,
    predict,
    score,
)
from archwright.training.seeding import seeded

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task():
    return aw.tasks.digits()


def small(task, seed=0):
    with seeded(seed):
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(512, 10),
        )


def fit(task, epochs=4, seed=0, **given):
    hyperparameters = replace(task.hyperparameters, **given)
    return Fit(small(task), task, task.train, hyperparameters, epochs, seed, CPU)


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(left.state_dict().values(), right.state_dict().values(), strict=True))


def run(training, epochs):
    while training.progress.epoch < epochs:
        training.run_epoch()
    return training


def test_it_learns(task):
    training = run(fit(task, epochs=8), 8)
    assert training.progress.train_losses[-1] < training.progress.train_losses[0]
    assert score(training.network, task, task.valid, CPU)["accuracy"] > 0.9


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(task):
    first, again, other = (run(fit(task, seed=seed), 2) for seed in (3, 3, 4))
    assert same(first.network, again.network)
    assert not same(first.network, other.network)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_continuing_from_a_state_equals_training_through(task, optimizer, tmp_path):
    given = {"optimizer": optimizer, "learning_rate": 0.01, "crop": 1, "cutout": 2, "flip": True}
    through = run(fit(task, **given), 4)
    first = run(fit(task, **given), 2)
    torch.save(first.state(), tmp_path / "state.pt")
    second = fit(task, **given)
    torch.rand(7)  # whatever else happened in between
    second.load_state(torch.load(tmp_path / "state.pt", weights_only=True))
    run(second, 4)
    assert same(through.network, second.network)
    assert second.progress == through.progress


def test_global_randomness_is_left_alone(task):
    before = torch.random.get_rng_state()
    run(fit(task, epochs=1), 1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_learning_rate_warms_up_and_follows_half_a_cosine(task):
    training = fit(task, epochs=10, warmup=0.1)
    total, rates = 10 * training.steps, []
    for step in range(total):
        training._set_learning_rate(step)
        rates.append(training.optimizer.param_groups[0]["lr"])
    peak, warm = task.hyperparameters.learning_rate, round(0.1 * total)
    assert rates[0] == pytest.approx(peak / warm, rel=0.1)
    assert rates[warm] == pytest.approx(peak, rel=1e-3)
    middle = warm + (total - warm) // 2
    assert rates[middle] == pytest.approx(peak / 2, rel=0.05)
    assert rates[-1] < 0.01 * peak
    assert all(a >= b for a, b in zip(rates[warm:], rates[warm + 1 :], strict=False))


def test_one_step_is_what_torch_does_by_hand(task):
    """One full-batch step of plain SGD against the formula w - lr * gradient."""
    subset = aw.tasks.Split(task.train.inputs[:64], task.train.targets[:64])
    given = Hyperparameters(
        learning_rate=0.1, momentum=0.0, weight_decay=0.0, batch_size=64, label_smoothing=0.0, warmup=0.0,
        gradient_clip=0.0, precision="float32",
    )  # fmt: skip
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    weight = network[1].weight.detach().clone().requires_grad_()
    bias = network[1].bias.detach().clone()
    logits = task.prepare(subset.inputs).flatten(1) @ weight.T + bias
    nll = -(logits - logits.logsumexp(1, keepdim=True))[torch.arange(64), subset.targets].mean()
    nll.backward()
    training = Fit(network, task, subset, given, 1, 0, CPU)
    loss = training.run_epoch()
    assert loss == pytest.approx(nll.item(), rel=1e-5)
    torch.testing.assert_close(network[1].weight.detach(), (weight - 0.1 * weight.grad).detach(), rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped(task):
    training = fit(task, gradient_clip=1e-6, weight_decay=0.0, momentum=0.0)
    before = [p.detach().clone() for p in training.network.parameters()]
    training.run_epoch()
    after = [p.detach() for p in training.network.parameters()]
    moved = max((p - q).abs().max().item() for p, q in zip(after, before, strict=True))
    assert moved < training.steps * 0.05 * 1e-6 * 1.01


def test_a_loss_that_is_no_number_stops_at_once(task):
    with pytest.raises(DivergedError, match="nan in epoch 1"):
        fit(task, learning_rate=float("nan")).run_epoch()


def test_less_data_than_a_batch_is_one_batch(task):
    few = aw.tasks.Split(task.train.inputs[:5], task.train.targets[:5])
    training = Fit(small(task), task, few, task.hyperparameters, 1, 0, CPU)
    assert math.isfinite(training.run_epoch())


def test_predictions_do_not_depend_on_the_batches(task, monkeypatch):
    network = small(task)
    whole = predict(network, task, task.valid, CPU)
    monkeypatch.setattr("archwright.training.loop.EVALUATION_BATCH", 7)
    torch.testing.assert_close(predict(network, task, task.valid, CPU), whole, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_used_where_asked_for():
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    with mixed_precision(CPU, "bfloat16"):
        assert layer(x).dtype == torch.bfloat16
    for precision in ("float32", "auto"):  # on a CPU
        with mixed_precision(CPU, precision):
            assert layer(x).dtype == torch.float32


def test_strides_wider_than_the_image_have_right_gradients():
    """In bfloat16, oneDNN reads what nobody wrote there."""
    layer = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
    images = torch.randn(32, 64, 1, 1)
    with mixed_precision(CPU, "auto"):
        layer(images.contiguous(memory_format=torch.channels_last)).square().sum().backward()
    centre = layer.weight.detach()[:, :, 1, 1].double()
    vectors = images[:, :, 0, 0].double()
    wanted = torch.zeros_like(layer.weight, dtype=torch.float64)
    wanted[:, :, 1, 1] = 2.0 * (vectors @ centre.T).T @ vectors
    torch.testing.assert_close(layer.weight.grad.double(), wanted, rtol=1e-3, atol=1e-3)


def test_flips_mirror_about_half_of_the_images():
    images = torch.arange(2000.0).reshape(500, 1, 2, 2)
    flipped = random_flip(images, torch.Generator().manual_seed(0))
    changed = (flipped != images).flatten(1).any(1)
    assert 200 < int(changed.sum()) < 300
    assert torch.equal(flipped[changed], images[changed].flip(3))


def test_crops_are_shifts_with_zeros_moving_in():
    images = torch.rand(200, 3, 6, 5) + 1
    shifted = random_crop(images, 2, torch.Generator().manual_seed(0))
    assert shifted.shape == images.shape
    seen = set()
    for before, after in zip(images, shifted, strict=True):
        padded = nn.functional.pad(before, (2, 2, 2, 2))
        where = [(r, c) for r in range(5) for c in range(5) if torch.equal(padded[:, r : r + 6, c : c + 5], after)]
        assert len(where) == 1
        seen.update(where)
    assert len(seen) == 25


@pytest.mark.parametrize("side", [1, 4, 5])
def test_cutout_clears_one_square(side):
    images = torch.ones(300, 2, 9, 9)
    cut = cutout(images, side, torch.Generator().manual_seed(0))
    holes = (cut == 0).all(1)
    assert torch.equal(holes, (cut == 0).any(1))  # all channels alike
    sizes = set()
    for hole in holes:
        rows, columns = hole.any(1).nonzero(), hole.any(0).nonzero()
        height, width = (int(x.max() - x.min()) + 1 if len(x) else 0 for x in (rows, columns))
        assert int(hole.sum()) == height * width
        sizes.add((height, width))
    assert max(sizes) == (side, side)


def test_devices_that_are_none():
    assert pick_device("cpu") == CPU
    with pytest.raises(ArchwrightError, match="no device 'gpu'"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ArchwrightError, match="no usable GPU"):
            pick_device("cuda")


def with_gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(monkeypatch):
    with_gpus(monkeypatch, 2)
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device("cuda") == torch.device("cuda")
    with pytest.raises(
        ArchwrightError, match="device cuda:2 asked for, but the GPUs of this machine are: cuda:0, cuda:1"
    ):
        pick_device("cuda:2")


@pytest.mark.parametrize(
    ("gpus", "worker", "picked"),
    [(0, "1", "cpu"), (1, "1", "cuda"), (2, None, "cuda"), (2, "0", "cuda:0"), (2, "1", "cuda:1"), (2, "5", "cuda:1")],
)
def test_workers_are_spread_over_the_gpus(monkeypatch, gpus, worker, picked):
    with_gpus(monkeypatch, gpus)
    if worker is None:
        monkeypatch.delenv("ARCHWRIGHT_WORKER", raising=False)
    else:
        monkeypatch.setenv("ARCHWRIGHT_WORKER", worker)
    assert pick_device("auto") == torch.device(picked)


def test_the_device_itself_is_asked_for_bfloat16(monkeypatch):
    """torch answers for the current GPU."""
    current = ["cuda:0"]

    class Inside:
        def __init__(self, device):
            self.device = device

        def __enter__(self):
            current.append(str(self.device))

        def __exit__(self, *_):
            current.pop()

    monkeypatch.setattr(torch.cuda, "device", Inside)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == "cuda:1")
    assert gains_by_bfloat16(torch.device("cuda:1"))
    assert not gains_by_bfloat16(torch.device("cuda:0"))


def test_what_augmentation_draws_goes_to_a_gpu_without_waiting():
    class Drawn:
        def pin_memory(self):
            return Pinned()

    class Pinned:
        def to(self, device, non_blocking):
            assert non_blocking
            return device

    class Images:
        device = torch.device("cuda:1")

    assert _beside(Images(), Drawn()) == torch.device("cuda:1")
