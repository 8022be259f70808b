"""How fast the open network searches, against the reference formulation (`darts_reference.py`).

    python benchmarks/supernet_speed.py --threads 2 --rounds 5
    python benchmarks/supernet_speed.py --memory            # peak memory: a process of its own for each contender

Contenders alternate within one run; a cell is the median of the rounds with the least and the most, and how many times
faster than the reference as shipped. Compare within one run only: between runs, machines change their speed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from darts_reference import Batch, ReferenceSearch, loss_of, pair
from torch import nn

import archwright as aw
from archwright.core.rng import Streams
from archwright.supernets import OpenNetwork, Relaxation, Step
from archwright.supernets.bilevel import first_order, unrolled

Steps = dict[str, Callable[[], None]]
"""By the name of what is done."""


@dataclass(frozen=True)
class Size:
    """Of a search network for DARTS' space."""

    cells: int
    channels: int
    shape: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.channels} channels, {self.cells} cells, {'x'.join(map(str, self.shape))}"

    @property
    def signature(self) -> aw.Signature:
        return aw.Signature(self.shape, 10)


SIZES = {
    "tiny": Size(3, 8, (1, 16, 16)),
    "small": Size(5, 8, (1, 28, 28)),
    "full": Size(8, 16, (3, 32, 32)),
}


def batches(shape: tuple[int, int, int], size: int, channels_last: bool, device: torch.device) -> list[Batch]:
    """A batch to train on and one to validate."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for _ in range(2):
        images = torch.randn(size, *shape, generator=generator)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        made.append((images.to(device), torch.randint(10, (size,), generator=generator).to(device)))
    return made


def reference(size: Size, batch: int, device: torch.device, channels_last: bool) -> Steps:
    network, _, _ = pair(size.signature, size.cells, size.channels)
    network.to(device)
    if channels_last:
        network.to(memory_format=torch.channels_last)
    search = ReferenceSearch(network)
    train, valid = batches(size.shape, batch, channels_last, device)

    def bilevel() -> None:
        search.first_order(valid)
        search.weight_step(train)

    def second_order() -> None:
        search.unrolled(train, valid)
        search.weight_step(train)

    return {
        "first-order bilevel step": bilevel,
        "unrolled bilevel step": second_order,
        "weight step": lambda: search.weight_step(train),
    }


def ours(size: Size, batch: int, device: torch.device, kernels: bool) -> Steps:
    _, network, _ = pair(size.signature, size.cells, size.channels)
    network.to(device, memory_format=torch.channels_last)
    train, valid = batches(size.shape, batch, True, device)
    optimizer = torch.optim.SGD(
        [p for p in network.parameters() if p.requires_grad], 0.025, momentum=0.9, weight_decay=3e-4
    )
    step = Step(network, lambda data: loss_of(network, data), train, valid, optimizer)
    first, second = (Relaxation(network, order).to(device) for order in (first_order, unrolled))

    def weight_step() -> None:
        optimizer.zero_grad()
        for _ in first.draws():
            loss_of(network, train).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()

    def bilevel() -> None:
        first.learn(step)
        weight_step()

    def second_order() -> None:
        second.learn(step)
        weight_step()

    def switched(act: Callable[[], None]) -> Callable[[], None]:
        def acting() -> None:
            os.environ["ARCHWRIGHT_KERNELS"] = "1" if kernels else "0"
            act()

        return acting

    made = {"first-order bilevel step": bilevel, "unrolled bilevel step": second_order, "weight step": weight_step}
    return {name: switched(act) for name, act in made.items()}


CONTENDERS: dict[str, Callable[[Size, int, torch.device], Steps]] = {
    "reference as shipped": partial(reference, channels_last=False),
    "reference, channels-last": partial(reference, channels_last=True),
    "Archwright, plain PyTorch": partial(ours, kernels=False),
    "Archwright, with kernels": partial(ours, kernels=True),  # on a CPU
}


def single_path(batch: int, device: torch.device) -> dict[str, Steps]:
    """A weight step of one architecture, in the open network of NAS-Bench-201 and alone."""
    space, signature = aw.spaces.nasbench201(), aw.Signature((3, 32, 32), 10)
    network = OpenNetwork(space, signature)
    architecture = aw.spaces.sample(space, Streams(2)[0])
    made = {}
    for name, one in (("standalone network", network.standalone(architecture)), ("sampled path", network)):
        one.to(device, memory_format=torch.channels_last)
        made[name] = {"weight step": _training(one, batches((3, 32, 32), batch, True, device)[0])}
    network.decide(architecture)
    return made


def _training(network: nn.Module, batch: Batch) -> Callable[[], None]:
    optimizer = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)

    def weight_step() -> None:
        optimizer.zero_grad()
        loss_of(network, batch).backward()
        optimizer.step()

    return weight_step


def measured(contenders: dict[str, Steps], what: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round; the first round warms up and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, steps in contenders.items():
            started = time.perf_counter()
            steps[what]()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def table(title: str, seconds: dict[str, list[float]]) -> None:
    """Prints rows of a Markdown table."""
    base = statistics.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        middle = statistics.median(values)
        spread = f"{min(values):.3f}–{max(values):.3f}"
        print(f"| {title} | {name} | {middle:.3f} s | {spread} | {base / middle:.2f} x |", flush=True)


def peak_memory(size: str, batch: int, threads: int) -> None:
    """Peak resident memory of each contender's first-order bilevel step."""
    for name in CONTENDERS:
        command = [sys.executable, __file__, "--sizes", size, "--batch", str(batch), "--threads", str(threads)]
        done = subprocess.run([*command, "--only", name], capture_output=True, text=True, check=True)
        print(f"| {SIZES[size]} | {name} | {done.stdout.strip()} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="small,full", help="of " + ", ".join(SIZES))
    parser.add_argument("--steps", default="first-order bilevel step,unrolled bilevel step,weight step")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved; the median counts")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead")
    parser.add_argument("--paths", action="store_true", help="measure NAS-Bench-201's single path instead")
    parser.add_argument("--contenders", default=",".join(CONTENDERS).replace(", ", "; "))
    parser.add_argument("--only", help="run this contender's first-order step and print the peak memory")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    sizes = given.sizes.split(",")
    if given.only:
        step = CONTENDERS[given.only](SIZES[sizes[0]], given.batch, device)["first-order bilevel step"]
        step()
        step()
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        return
    print(f"{device}, {torch.get_num_threads()} threads, batch {given.batch}, torch {torch.__version__}\n")
    if given.memory:
        print("| network | contender | peak memory |\n|---|---|---|")
        for size in sizes:
            peak_memory(size, given.batch, given.threads)
        return
    print("| step | contender | median | least–most | against the first |\n|---|---|---|---|---|")
    if given.paths:
        table("NAS-Bench-201, weight step", measured(single_path(given.batch, device), "weight step", given.rounds))
        return
    wanted = [name.replace("; ", ", ") for name in given.contenders.split(",")]
    for size in sizes:
        contenders = {name: CONTENDERS[name](SIZES[size], given.batch, device) for name in wanted}
        for step in given.steps.split(","):
            table(f"{SIZES[size]}: {step}", measured(contenders, step, given.rounds))


if __name__ == "__main__":
    main()
