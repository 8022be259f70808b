"""How well do shared weights rank? Kendall's tau between accuracy with shared weights and stand-alone training.

    python benchmarks/shared_weights_rank.py [--architectures 60] [--out runs/rank]

NAS-Bench-201 cells in a small network (1 cell a stage, 8 channels) on a share of Fashion-MNIST. Random architectures
are trained alone; then each way of sharing weights scores the same ones. Intervals are bootstraps over architectures
(95 %). Beside them: how well parameters and FLOPs alone rank, and with --ceiling the same trainings with another seed,
which bounds what any judge can reach; the others are then held against the mean of both. Everything is kept in the
folder; a second call goes on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau

import archwright as aw
from archwright.estimators.trained_once import SEARCH
from archwright.estimators.weight_sharing import WeightSharing
from archwright.supernets import sampling
from archwright.tasks.task import Split, Splits, Task

WAYS = {
    "SPOS: uniform single path": {"sampling": sampling.Uniform(), "affine": True},
    "FairNAS: each candidate equally often": {"sampling": sampling.FairNAS(), "affine": True},
    "Bender: path dropout": {"sampling": sampling.PathDropout(), "affine": True},
    "RSWS: uniform, batch-norm without scale": {"sampling": sampling.Uniform(), "affine": False},
}
"""How the shared weights are trained. FairNAS takes five paths a step, so it gets a fifth of the epochs."""


class Again:
    """The same architectures with another seed."""

    ends = True

    def __init__(self, trials, seed):
        self.trials, self.seed = trials, seed

    def propose(self, space, history, rng):
        return None if history.asked >= len(self.trials) else replace(self.trials[history.asked], seed=self.seed)


def share_of_fashion_mnist(train: int, valid: int) -> Task:
    whole = aw.tasks.fashion_mnist()

    def load() -> Splits:
        def first(split: Split, count: int) -> Split:
            return Split(split.inputs[:count], split.targets[:count])

        return Splits(first(whole.train, train), first(whole.valid, valid), whole.test, whole.classes)

    return Task(f"fashion-mnist-{train}", load, replace(whole.hyperparameters, precision="float32"))


def interval(left: np.ndarray, right: np.ndarray, rounds: int = 2000) -> str:
    rng = np.random.default_rng(0)
    taus = [
        kendalltau(left[picked], right[picked]).statistic
        for picked in rng.integers(len(left), size=(rounds, len(left)))
    ]
    low, high = np.nanquantile(taus, [0.025, 0.975])
    return f"{kendalltau(left, right).statistic:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--architectures", type=int, default=60)
    parser.add_argument("--train", type=int, default=6000, help="examples")
    parser.add_argument("--valid", type=int, default=3000, help="examples")
    parser.add_argument("--epochs", type=int, default=12, help="of a stand-alone training")
    parser.add_argument("--shared-epochs", type=int, default=60, help="of an open network, single path a step")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ceiling", action="store_true", help="train all architectures a second time")
    parser.add_argument("--out", type=Path, default=Path("runs/rank"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    space, task = aw.spaces.nasbench201(cells=1, channels=8), share_of_fashion_mnist(chosen.train, chosen.valid)

    def trained(strategy: object) -> aw.Search:
        estimator, executor = aw.estimators.Training(task, chosen.epochs), aw.Processes(chosen.workers)
        return aw.search(space, strategy, estimator, objectives="valid_accuracy", executor=executor, seed=1)

    alone = trained(aw.strategies.Random())
    for _ in aw.record(aw.budget(alone, evaluations=chosen.architectures), chosen.out / "alone"):
        pass
    done = [item for item in alone.history if item.failure is None and item.reused is None]
    trials = [item.trial for item in done]
    truth = np.array([item.metrics["valid_accuracy"] for item in done])
    good = truth >= np.median(truth)
    seconds = sum(item.cost for item in done)
    print(
        f"{len(done)} architectures alone: accuracy {truth.min():.3f} to {truth.max():.3f}, {seconds:.0f} s of training"
    )
    print("\n| judged by | tau | tau among the better half | best of the judge's top 5 | seconds to train |")
    print("|---|---:|---:|---:|---:|")

    def line(name: str, scores: np.ndarray, cost: float) -> None:
        top = truth[np.argsort(-scores, kind="stable")[:5]].max()
        print(
            f"| {name} | {interval(scores, truth)} | {interval(scores[good], truth[good])} | {top:.4f} | {cost:.0f} |",
            flush=True,
        )

    if chosen.ceiling:
        again = trained(Again(trials, seed=1))
        for _ in aw.record(again, chosen.out / "again"):
            pass
        second = {item.trial.architecture: item for item in again.history}
        scores = np.array([second[trial.architecture].metrics["valid_accuracy"] for trial in trials])
        line("the same training, another seed", scores, sum(item.cost for item in again.history))
        truth = (truth + scores) / 2
        good = truth >= np.median(truth)
    for metric in ("parameters", "flops"):
        line(metric, np.array([item.metrics[metric] for item in done]), 0.0)
    for name, way in WAYS.items():
        kept = chosen.out / f"{name.partition(':')[0]}.json"
        if not kept.exists():
            epochs = chosen.shared_epochs // (5 if "FairNAS" in name else 1)
            given = replace(SEARCH, learning_rate=0.1)
            shared = WeightSharing(task, epochs=epochs, shared=given, **way).stored(str(chosen.out / "shared"))
            answers = [shared.estimate(space, trial) for trial in trials]
            scores = [answer.metrics["valid_accuracy"] for answer in answers]
            kept.write_text(json.dumps({"scores": scores, "seconds": answers[0].cost}))
        result = json.loads(kept.read_text())
        line(name, np.array(result["scores"]), result["seconds"])
    print(f"\nThe best of all: {truth.max():.4f}.")


if __name__ == "__main__":
    main()
