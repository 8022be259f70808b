"""A run's winner beside a hand-written ResNet-8 of its size.

Same data, same training recipe, same epochs, one test score each.

    archwright search fashion-mnist --minutes 30 --workers 2 --objective valid_accuracy \
        --objective "parameters <= 3e5" --train-epochs 20 --out runs/evolution
    python benchmarks/fashion_mnist.py runs/evolution [more runs]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import archwright as aw
from archwright.training.loop import Fit, pick_device, score
from archwright.training.seeding import seeded


class Block(nn.Module):
    """Two 3x3 convolutions and a short cut (He et al., 2016)."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels),
        )  # fmt: skip
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


class ResNet8(nn.Module):
    """Stem, a block each of width, 2 x width and 4 x width channels, average, linear: eight weighted layers deep."""

    def __init__(self, signature: aw.Signature, width: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(signature.input_shape[0], width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, signature.outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def of_size(wanted: int, signature: aw.Signature) -> int:
    """The width whose network comes nearest to the wanted number of parameters."""
    return min(range(4, 128), key=lambda width: abs(size(ResNet8(signature, width)) - wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    print(f"{'':40} {'test accuracy':>13} {'parameters':>10} {'seconds':>8} {'search':>24}")
    for folder in chosen.runs:
        run = aw.load(folder)
        if run.result is None:
            run.best.train(device=chosen.device)
        result = aw.load(folder).result
        searched = f"{run.history.spent} trials, {run.times[-1] / 60:.1f} min"
        line = f"{run.manifest['strategy']['name'] + ' (' + folder.name + ')':40} {result['test_accuracy']:13.4f}"
        print(f"{line} {result['parameters']:10,} {result['seconds']:8.0f} {searched:>24}")
    task, device = run.task, pick_device(chosen.device)
    width = of_size(result["parameters"], task.signature)
    with seeded(result["seed"], "weights", device=device):
        network = ResNet8(task.signature, width).to(device)
    fit = Fit(
        network,
        task,
        (task.train + task.valid).to(device),
        task.hyperparameters,
        result["epochs"],
        result["seed"],
        device,
    )  # fmt: skip
    started = time.perf_counter()
    while fit.progress.epoch < result["epochs"]:
        fit.run_epoch()
    seconds = time.perf_counter() - started
    accuracy = score(network, task, task.test, device)["accuracy"]
    print(
        f"{f'hand-written ResNet-8, width {width}':40} {accuracy:13.4f} {size(network):10,} {seconds:8.0f} {'none':>24}"
    )


if __name__ == "__main__":
    main()
