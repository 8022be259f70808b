"""What weight inheritance saves: NASH with and without it, at equal processor time, on a share of Fashion-MNIST.

    python benchmarks/inheritance.py [--minutes 5] [--seeds 0 1 2] [--out runs/inheritance]

Both ways grow networks by the same morphisms, with the same epochs for each; without inheritance each is trained from
scratch. Time is that of the processor, on one thread, the strategy's own included. The table has the best validation
accuracy so far after each share of the budget. Then each way's best architecture is trained from scratch, and scored
on the test split: that is what the search has found, apart from how its weights came about.

Each search is a run in the folder; a second call goes on, also with more seeds or minutes, and several calls may share
the seeds among them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from shared_weights_rank import share_of_fashion_mnist

import archwright as aw
from archwright.estimators import Inherited, Training
from archwright.run import Run
from archwright.tasks.task import Task

SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


class OnOneThread(aw.Inline):
    """Trials in this process, whose processor time is the search's clock."""

    clock = staticmethod(time.process_time)


def searched(task: Task, inherits: bool, seed: int, chosen: argparse.Namespace) -> Run:
    """A finished run, searched now as far as it isn't yet."""
    folder = chosen.out / f"{'inherited' if inherits else 'scratch'}-{seed}"
    training = Training(task, epochs=chosen.epochs)
    space = aw.spaces.growing(stages=3, max_layers=4, widths=(8, 16, 32, 64))
    run = aw.search(
        space,
        aw.strategies.NASH(children=chosen.children, morphisms=chosen.morphisms),
        Inherited(training) if inherits else training,
        objectives="valid_accuracy",
        executor=OnOneThread(),
        seed=seed,
    )
    with aw.record(aw.budget(run, minutes=chosen.minutes), folder) as recorded:
        for _ in recorded:
            pass
    return aw.load(folder, space=space, task=task)


def accuracy_after(run: Run, seconds: float) -> float:
    """The best validation accuracy by then; no number if nothing was known."""
    known = [
        item.metrics["valid_accuracy"]
        for item, ended in zip(run.history, run.times, strict=True)
        if ended <= seconds and item.failure is None
    ]
    return max(known, default=float("nan"))


def cell(numbers: list[float], form: str = ".4f") -> str:
    """Mean and standard deviation over seeds."""
    return f"{np.mean(numbers):{form}} ± {np.std(numbers, ddof=1) if len(numbers) > 1 else 0.0:{form}}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of the processor, for each search")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", type=int, default=6000, help="examples")
    parser.add_argument("--valid", type=int, default=3000, help="examples")
    parser.add_argument("--epochs", type=int, default=2, help="of each child")
    parser.add_argument("--children", type=int, default=8, help="in a step of NASH")
    parser.add_argument("--morphisms", type=int, default=5, help="from parent to child")
    parser.add_argument("--final", type=int, default=10, help="epochs of the winners from scratch; 0 is without")
    parser.add_argument("--out", type=Path, default=Path("runs/inheritance"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    task = share_of_fashion_mnist(chosen.train, chosen.valid)
    runs = {
        name: [searched(task, inherits, seed, chosen) for seed in chosen.seeds]
        for name, inherits in (("from scratch", False), ("inherited", True))
    }
    print(f"NASH, {len(chosen.seeds)} seeds, {chosen.minutes:g} minutes of one processor each\n")
    print("| weights | " + " | ".join(f"{share * chosen.minutes:g} min" for share in SHARES) + " | evaluations |")
    print("|---|" + "---:|" * (len(SHARES) + 1))
    for name, found in runs.items():
        columns = [cell([accuracy_after(run, 60 * share * chosen.minutes) for run in found]) for share in SHARES]
        print(f"| {name} | {' | '.join(columns)} | {cell([float(run.history.spent) for run in found], '.0f')} |")
    for name, found in runs.items() if chosen.final else ():
        for run in found:
            if run.result is None:
                run.best.train(epochs=chosen.final)
        results = [run.result for run in found if run.result is not None]
        tests = [result["test_accuracy"] for result in results]
        sizes = [result["parameters"] for result in results]
        print(f"\n{name}: the winners, trained from scratch for {chosen.final} epochs, have a test accuracy of")
        print(f"{cell(tests)}, with {cell(sizes, ',.0f')} parameters.")
    children = [
        item
        for run in runs["inherited"]
        for item in run.history
        if item.trial.parent is not None and item.reused is None and item.failure is None
    ]
    if children:
        exact = sum(item.metrics["exact"] for item in children)
        print(f"\n{exact:.0f} of {len(children)} children began as the function that their parent was.")


if __name__ == "__main__":
    main()
