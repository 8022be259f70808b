"""DARTS end to end on a share of Fashion-MNIST, beside a random architecture and random search with shared weights.

    OMP_NUM_THREADS=1 python benchmarks/darts_fashion_mnist.py --seeds 0 1 2 [--space darts|S2|S4] [--out runs/darts]

For each seed: DARTS of first order, then random search with weight sharing for the same time (as many epochs of
single paths as fit, then 1/5 of the time for scoring), a random architecture, and DARTS with the eigenvalue stop and
with perturbation selection. Each architecture is trained to the end on train and validation split by the same recipe,
and scored once on the test split. Tells how many of the kept edges are identities: DARTS' known collapse.
Everything is kept in the folder; a second call goes on. The report of each search shows its probabilities.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from shared_weights_rank import share_of_fashion_mnist

import archwright as aw
from archwright.core.architecture import Architecture
from archwright.core.rng import Streams
from archwright.estimators.weight_sharing import WeightSharing
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.tasks.task import Task
from archwright.training.loop import Fit, score
from archwright.training.seeding import seeded

Found = tuple[Architecture, float]
"""What a search found, and its seconds of one processor, which other work on the machine doesn't stretch."""


def gradient(strategy: object, space: Space, task: Task, epochs: int, seed: int, folder: Path) -> Found:
    started = time.process_time()
    run = aw.search(space, strategy, WeightSharing(task, epochs=epochs), objectives="valid_accuracy", seed=seed)
    for _ in aw.record(run, folder):
        pass
    seconds = time.process_time() - started
    aw.reports.html(aw.load(folder))
    return run.history.best.evaluation.trial.architecture, seconds


def random_with_shared_weights(space: Space, task: Task, seconds: float, seed: int, folder: Path) -> Found:
    """As many epochs as fit into four fifths of the time, one tried first; then random architectures for the rest."""
    started = time.process_time()
    WeightSharing(task, epochs=1).estimate(space, aw.Trial(sample(space, Streams(seed)[0]), seed=seed))
    epoch, started = time.process_time() - started, time.process_time()
    estimator = WeightSharing(task, epochs=max(1, int(0.8 * seconds / epoch)))
    run = aw.search(space, Seeded(seed), estimator, objectives="valid_accuracy", seed=seed)
    with aw.record(run, folder):
        for _ in run:
            if time.process_time() - started > seconds:
                break
    return run.history.best.evaluation.trial.architecture, time.process_time() - started


class Seeded:
    """Random search whose trials share the open network of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def propose(self, space, history, rng):
        return aw.Trial(sample(space, rng), seed=self.seed)


def trained(space: Space, architecture: Architecture, task: Task, epochs: int, seed: int) -> dict[str, float]:
    started = time.perf_counter()
    with seeded(seed, "weights"):
        network = space.build(architecture, task.signature)
    device = torch.device("cpu")
    fit = Fit(network, task, task.train + task.valid, task.hyperparameters, epochs, seed, device)
    while fit.progress.epoch < epochs:
        fit.run_epoch()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    accuracy = score(network, task, task.test, device)["accuracy"]
    return {"test_accuracy": accuracy, "parameters": parameters, "seconds": time.perf_counter() - started}


def identities(space: Space, architecture: Architecture) -> str:
    words = space.describe(architecture)
    ops = [label for name, label in words.items() if name.endswith(".op")]
    return f"{sum(label == 'identity' for label in ops)} of {len(ops)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--space", default="darts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", type=int, default=4000, help="examples")
    parser.add_argument("--valid", type=int, default=4000, help="examples, from which the architecture learns")
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=15, help="of the search")
    parser.add_argument("--train-epochs", type=int, default=15)
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="of the architecture; 3e-4 in the paper")
    parser.add_argument("--methods", nargs="+", default=["DARTS", "RSWS", "random", "R-DARTS", "DARTS-PT"])
    parser.add_argument("--out", type=Path, default=Path("runs/darts"))
    chosen = parser.parse_args()
    make = aw.spaces.darts if chosen.space == "darts" else lambda **sizes: aw.spaces.robust_darts(chosen.space, **sizes)
    space = make(cells=chosen.cells, channels=chosen.channels)
    task = share_of_fashion_mnist(chosen.train, chosen.valid)
    rate = chosen.learning_rate
    results: dict[str, list[dict]] = {}
    for seed in chosen.seeds:
        seconds = 0.0
        for name in chosen.methods:
            folder = chosen.out / f"{chosen.space}-{name}-{seed}"
            kept = folder.with_suffix(".json")
            if not kept.exists():
                if name == "random":
                    architecture, cost = sample(space, Streams(seed)[7]), 0.0
                elif name == "RSWS":
                    architecture, cost = random_with_shared_weights(space, task, seconds, seed, folder)
                else:
                    strategies = {
                        "DARTS": lambda: aw.strategies.DARTS(learning_rate=rate),
                        "R-DARTS": lambda: aw.strategies.RobustDARTS(
                            of=aw.strategies.DARTS(learning_rate=rate), begin=3
                        ),
                        "DARTS-PT": lambda: aw.strategies.DARTSPT(of=aw.strategies.DARTS(learning_rate=rate), epochs=1),
                    }
                    architecture, cost = gradient(strategies[name](), space, task, chosen.epochs, seed, folder)
                outcome = trained(space, architecture, task, chosen.train_epochs, seed)
                outcome |= {"search": cost, "identities": identities(space, architecture)}
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(outcome))
            outcome = json.loads(kept.read_text())
            seconds = outcome["search"] if name == "DARTS" else seconds
            results.setdefault(name, []).append(outcome)
            print(f"{chosen.space} seed {seed} {name}: {outcome}", flush=True)
    print("\n| method | test accuracy, % | parameters | search, s | identities kept |\n|---|---:|---:|---:|---|")
    for name, found in results.items():
        accuracy = 100 * np.array([one["test_accuracy"] for one in found])
        sizes, costs = ([one[key] for one in found] for key in ("parameters", "search"))
        spread = accuracy.std(ddof=min(1, len(found) - 1))
        print(
            f"| {name} | {accuracy.mean():.2f} ± {spread:.2f} | {np.mean(sizes):,.0f} | {np.mean(costs):.0f} "
            f"| {', '.join(one['identities'] for one in found)} |"
        )


if __name__ == "__main__":
    main()
