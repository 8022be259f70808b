"""How well do zero-cost proxies rank? Against real training of NAS-Bench-201 cells on a share of Fashion-MNIST.

    python benchmarks/shared_weights_rank.py --out runs/rank        # trains the cells
    python benchmarks/zero_cost_fashion_mnist.py --run runs/rank/alone

The trained run is only read. Each proxy scores the architectures it holds, with the seeds they were trained with, and
is compared with their validation accuracy: Kendall's tau and Spearman's rho with bootstrap intervals over architectures
(95 %), tau among the better half, the best accuracy among the proxy's top 5. Parameters and FLOPs stand beside them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr
from shared_weights_rank import share_of_fashion_mnist

import archwright as aw
from archwright.estimators import ZeroCost
from archwright.estimators.zero_cost import ALL

Statistic = Callable[[np.ndarray, np.ndarray], float]


def tau(left: np.ndarray, right: np.ndarray) -> float:
    return float(kendalltau(left, right).statistic)


def rho(left: np.ndarray, right: np.ndarray) -> float:
    return float(spearmanr(left, right).statistic)


def interval(statistic: Statistic, left: np.ndarray, right: np.ndarray, rounds: int) -> str:
    picked = np.random.default_rng(0).integers(len(left), size=(rounds, len(left)))
    drawn = [statistic(left[places], right[places]) for places in picked]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return f"{statistic(left, right):.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="made by shared_weights_rank.py: its folder `alone`")
    parser.add_argument("--rounds", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--out", type=Path, help="keep all scores here, as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = aw.load(given.run)
    done = [item for item in run.history if item.failure is None and item.reused is None]
    task = share_of_fashion_mnist(int(run.manifest["task"]["name"].rpartition("-")[2]), 1)
    truth = np.array([item.metrics["valid_accuracy"] for item in done])
    trained = float(np.median([item.cost for item in done]))
    print(f"{len(done)} architectures, accuracy {truth.min():.3f} to {truth.max():.3f}, {trained:.1f} s to train one\n")
    print("| ranked by | measured | tau | rho | tau, better half | best of its top 5 | a second |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    kept: dict[str, list[float | None]] = {"valid_accuracy": truth.tolist()}

    def line(name: str, scores: np.ndarray, seconds: float) -> None:
        known = np.isfinite(scores)
        judged, measured = truth[known], scores[known]
        better = judged >= np.median(truth)
        top = judged[np.argsort(-measured, kind="stable")[:5]].max()
        columns = [
            interval(tau, measured, judged, given.rounds),
            interval(rho, measured, judged, given.rounds),
            interval(tau, measured[better], judged[better], given.rounds),
        ]
        rate = f"{len(done) / seconds:.1f}" if seconds else ""
        print(f"| {name} | {known.sum()} | {' | '.join(columns)} | {top:.4f} | {rate} |", flush=True)
        kept[name] = [float(score) if np.isfinite(score) else None for score in scores]

    for metric in ("parameters", "flops"):
        line(metric, np.array([item.metrics[metric] for item in done]), 0.0)
    for name in ALL:
        estimator = ZeroCost(task, (name,), costs=())
        estimator.measure(run.space, done[0].trial)  # reads the data, and what a vote compares with
        started = time.perf_counter()
        scores = [estimator.measure(run.space, item.trial)[0].get(name, np.nan) for item in done]
        line(name, np.array(scores), time.perf_counter() - started)
    print(f"\nThe best of all: {truth.max():.4f}.")
    if given.out:
        given.out.write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
