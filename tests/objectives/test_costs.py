import time

import numpy as np
import pytest
import torch
from torch import nn

import archwright as aw
from archwright.objectives.pareto import hypervolume

SIGNATURE = aw.Signature((3, 10, 10), 7)


def network(device="meta"):
    with torch.device(device):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
            nn.Flatten(),
            nn.Linear(8 * 25, 7),
        )


def test_parameters_by_hand():
    assert aw.Parameters().measure(network(), SIGNATURE) == (3 * 8 * 9 + 8) + 8 * 9 + (200 * 7 + 7)


def test_shared_and_frozen_parameters_count_right():
    layer = nn.Linear(4, 4, bias=False)
    frozen = nn.Linear(4, 4, bias=False).requires_grad_(False)
    assert aw.Parameters().measure(nn.Sequential(layer, layer, frozen), SIGNATURE) == 16


def test_flops_by_hand():
    by_hand = 2 * (100 * 3 * 8 * 9 + 25 * 8 * 9 + 200 * 7)
    assert aw.Flops().measure(network(), SIGNATURE) == by_hand


def test_peak_memory_by_hand():
    # the peak is inside ReLU: its input and its output are alive, and the example, which the caller holds
    floats = 3 * 100 + 8 * 100 + 8 * 100
    assert aw.Memory().measure(network(), SIGNATURE) == pytest.approx(4 * floats / 1e6)
    assert aw.Memory(batch_size=5).measure(network(), SIGNATURE) == pytest.approx(5 * 4 * floats / 1e6)


def test_memory_of_long_skips_is_seen():
    class Skip(nn.Module):
        def __init__(self, keep):
            super().__init__()
            self.keep = keep
            self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(4))

        def forward(self, x):
            outputs = [x]
            for layer in self.layers:
                outputs = [*(outputs if self.keep else []), layer(outputs[-1])]
            return sum(outputs[1:], outputs[0])

    with torch.device("meta"):
        few, many = (aw.Memory().measure(Skip(keep), SIGNATURE) for keep in (False, True))
    assert many > few


def test_latency_is_the_time_of_a_pass():
    class Sleeps(nn.Module):
        def forward(self, x):
            time.sleep(0.01)
            return x

    measured = aw.Latency(repetitions=5, warmup=1).measure(Sleeps(), SIGNATURE)
    assert 10 <= measured < 100


def test_the_device_that_is_measured_is_waited_for(monkeypatch):
    class Elsewhere(nn.Module):
        def to(self, device):
            return self

        def forward(self, x):
            return x

    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    aw.Latency("cuda:1", repetitions=2, warmup=1).measure(Elsewhere(), SIGNATURE)
    assert waited == [torch.device("cuda:1")] * 3


def test_measuring_leaves_the_mode_as_it_was():
    made = network("cpu").train()
    aw.Flops().measure(made, SIGNATURE)
    aw.Latency(repetitions=1, warmup=0).measure(made, SIGNATURE)
    assert made.training


@pytest.mark.parametrize("cost", [aw.Flops(), aw.Memory(), aw.Latency(repetitions=1, warmup=0)])
def test_measuring_leaves_the_modes_of_the_parts_as_they_were(cost):
    made = network("cpu").train()
    made[1].eval()
    cost.measure(made, SIGNATURE)
    assert [part.training for part in made] == [True, False, True, True, True]
    made.eval()
    made[2].train()
    cost.measure(made, SIGNATURE)
    assert [part.training for part in (made, *made)] == [False, False, False, True, False, False]


def test_what_the_cpu_fuses_is_counted_and_the_switches_are_put_back():
    def encoder():
        return nn.Sequential(nn.Flatten(1, 2), nn.TransformerEncoderLayer(10, 2, 16, batch_first=True))

    def switches():
        return torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, enabled(), enabled_math()

    enabled, enabled_math = torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.math_sdp_enabled
    before = switches()
    with torch.device("meta"):
        shapes = encoder()
    for cost in (aw.Flops(), aw.Memory()):
        assert cost.measure(encoder(), SIGNATURE) == cost.measure(shapes, SIGNATURE)
        with pytest.raises(RuntimeError):
            cost.measure(nn.Sequential(nn.Linear(3, 3)), SIGNATURE)
    assert switches() == before


def test_hypervolume_by_counting_grid_cells():
    rng = np.random.default_rng(0)
    for objectives in (1, 2, 3):
        for _ in range(20):
            points = rng.integers(0, 8, size=(6, objectives))
            grid = np.stack(np.meshgrid(*[np.arange(8)] * objectives, indexing="ij"), -1).reshape(-1, objectives)
            covered = sum(any((point <= cell).all() for point in points) for cell in grid)
            assert hypervolume(points.tolist(), [8] * objectives) == covered


def test_hypervolume_of_nothing_inside_is_zero():
    assert hypervolume([], [1.0, 1.0]) == 0.0
    assert hypervolume([(2.0, 0.0)], [1.0, 1.0]) == 0.0
