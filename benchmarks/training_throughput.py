"""How fast `Training` feeds a network: images per second against a plain PyTorch loop with a DataLoader.

    make bench        or        python benchmarks/training_throughput.py

The same network, batch, optimiser and augmentation (flip, crop by 2) on Fashion-MNIST, interleaved in one run; compare
the ratio. The plain loop is what a careful user writes: float32, a DataLoader of two workers, transforms an image at a
time; "plain, tensors" has no DataLoader and no augmentation and is the floor for float32 in the usual layout.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import archwright as aw
from archwright.spaces.nas_bench_201 import from_string
from archwright.tasks import Split, Task
from archwright.training.loop import Fit, pick_device

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"


class Augmented(Dataset[tuple[Tensor, Tensor]]):
    """One image at a time, as a user's Dataset does it."""

    def __init__(self, split: Split, task: Task) -> None:
        self.split = split
        mean, deviation = task.statistics
        self.mean, self.deviation = mean[0], deviation[0]

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.split.inputs[index].float()
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        top, left = torch.randint(0, 5, (2,)).tolist()
        image = nn.functional.pad(image, (2, 2, 2, 2))[:, top : top + 28, left : left + 28]
        return (image - self.mean) / self.deviation, self.split.targets[index]


def network(task: Task, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return aw.spaces.nasbench201(cells=1).build(from_string(CELL), task.signature).to(device)


def plain(task: Task, split: Split, device: torch.device, loader: bool) -> Callable[[], None]:
    made = network(task, device)
    optimizer = torch.optim.SGD(made.parameters(), 0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)

    def tensors() -> Iterator[tuple[Tensor, Tensor]]:
        inputs = task.prepare(split.inputs)
        for picked in torch.randperm(len(split)).split(128):
            yield inputs[picked], split.targets[picked]

    def epoch() -> None:
        made.train()
        batches = (
            DataLoader(Augmented(split, task), batch_size=128, shuffle=True, num_workers=2) if loader else tensors()
        )
        for inputs, targets in batches:
            inputs, targets = inputs.to(device), targets.to(device)
            loss = nn.functional.cross_entropy(made(inputs), targets, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(made.parameters(), 5.0)
            optimizer.step()

    return epoch


def ours(task: Task, split: Split, device: torch.device, precision: str) -> Callable[[], None]:
    given = replace(task.hyperparameters, precision=precision, cutout=0)
    training = Fit(network(task, device), task, split.to(device), given, 1000, 0, device)

    def epoch() -> None:
        training.run_epoch()

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=5120, help="images an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the median counts")
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    device = pick_device(chosen.device)
    task = aw.tasks.fashion_mnist()
    split = Split(task.train.inputs[: chosen.images], task.train.targets[: chosen.images])
    contenders = {
        "plain loop, DataLoader of 2 workers, float32": plain(task, split, device, loader=True),
        "plain loop, tensors, no augmentation, float32": plain(task, split, device, loader=False),
        "Training, float32": ours(task, split, device, "float32"),
        "Training, bfloat16": ours(task, split, device, "bfloat16"),
    }
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(chosen.rounds + 1):
        for name, epoch in contenders.items():
            started = time.perf_counter()
            epoch()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number:  # the first round warms up
                speeds[name].append(chosen.images / (time.perf_counter() - started))
    base = statistics.median(next(iter(speeds.values())))
    print(f"{'images per second, ' + str(device):48} {'median':>8} {'least':>8} {'most':>8} {'ratio':>6}")
    for name, values in speeds.items():
        middle = statistics.median(values)
        print(f"{name:48} {middle:8,.0f} {min(values):8,.0f} {max(values):8,.0f} {middle / base:6.2f}")


if __name__ == "__main__":
    main()
