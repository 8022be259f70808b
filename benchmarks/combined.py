"""What parts give together: compositions of them beside plain regularised evolution, at equal processor time.

    python benchmarks/combined.py [--minutes 60] [--seeds 0 1 2] [--ways evolution ...] [--out runs/combined]

evolution: regularised evolution over trainings of 3 epochs, the command line's own choice.
warm-up and surrogate: begins with the best 10 of 200 by synflow; then NAS-BOWL's Gaussian process proposes.
the same in rungs: inside ASHA, whose rungs are trainings of 6 epochs on a sixth, on half and on all of the images, each
    with a schedule of its own.

Fashion-MNIST whole, NAS-Bench-201 cells, one a stage, at most 300,000 parameters. A search has an hour of one
processor, which is 30 minutes on two cores; what proposing costs counts too. The winner is then trained from scratch on
the training and validation splits by the task's hyper-parameters, and scored once on the test split.

Each search is a run in the folder; a second call goes on, and several calls may share the seeds and ways among them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from inheritance import OnOneThread, cell

import archwright as aw
from archwright.core.protocols import Estimator, Strategy
from archwright.estimators import Training, ZeroCost
from archwright.run import Run
from archwright.strategies import ASHA, NASBOWL, RegularizedEvolution, Warm

EVOLUTION = RegularizedEvolution(population=10, sample=3)
"""The command line's default, as in Dong and Yang (2020)."""


WAYS = ("evolution", "warm-up and surrogate", "the same in rungs")


def composed(way: str, task: aw.Task, device: str) -> tuple[Strategy, Estimator]:
    """A strategy and an estimator."""
    short = Training(task, epochs=3, device=device)
    rising = Training(task, epochs=6, along=("data",), device=device)
    warm = Warm(NASBOWL(), ZeroCost(task, ("synflow",), device=device), pool=200, first=10)
    ways: dict[str, tuple[Strategy, Estimator]] = {
        "evolution": (EVOLUTION, short),
        "warm-up and surrogate": (warm, short),
        "the same in rungs": (ASHA(warm, levels=(1 / 6, 1 / 2, 1.0)), rising),
    }
    return ways[way]


def searched(way: str, seed: int, task: aw.Task, chosen: argparse.Namespace) -> Run:
    """A finished run, searched and trained now as far as it isn't yet."""
    folder, space = chosen.out / f"{way.replace(' ', '-')}-{seed}", aw.spaces.nasbench201(cells=1)
    strategy, estimator = composed(way, task, chosen.device)
    run = aw.search(
        space,
        strategy,
        estimator,
        objectives=["valid_accuracy", "parameters <= 3e5"],
        executor=OnOneThread(),
        seed=seed,
    )
    with aw.record(aw.budget(run, minutes=chosen.minutes), folder) as recorded:
        for item in recorded:
            if chosen.verbose:
                print(way, seed, f"{recorded.elapsed:.0f}", item.trial.fidelity, item.metrics, item.failure, flush=True)
    found = aw.load(folder, space=space, task=task)
    if chosen.final and found.result is None:
        found.best.train(epochs=chosen.final, device=chosen.device)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of the processor, for each search")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--final", type=int, default=10, help="epochs of the winners from scratch; 0 is without")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--verbose", action="store_true", help="tell each evaluation")
    parser.add_argument("--out", type=Path, default=Path("runs/combined"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    task = aw.tasks.fashion_mnist()
    print("| search | test accuracy | parameters | validation, in the search | trained | epochs |\n|---|" + "---:|" * 5)
    for way in chosen.ways:
        runs = [searched(way, seed, task, chosen) for seed in chosen.seeds]
        results = [run.result or {"test_accuracy": np.nan, "parameters": np.nan} for run in runs]
        columns = [
            cell([result["test_accuracy"] for result in results]),
            cell([result["parameters"] for result in results], ",.0f"),
            cell([run.best.evaluation.metrics["valid_accuracy"] for run in runs]),
            cell([float(run.history.spent) for run in runs], ".0f"),
            cell([float(run.history.epochs) for run in runs], ".0f"),
        ]
        print(f"| {way} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
