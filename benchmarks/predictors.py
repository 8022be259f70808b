"""How well do predictors rank what they have not seen? Kendall's tau on NAS-Bench-201, by how much they learnt from.

    ARCHWRIGHT_BENCH_DATA=... python benchmarks/predictors.py [--epochs 200] [--draws 10]

A draw is random architectures to learn from and 500 others to rank by their validation accuracy (CIFAR-10). Beside the
predictors: how parameters and FLOPs alone rank the same 500. Each predictor learns normal scores, and its deviations
are calibrated, as in `estimators.Predicted`. Mean over the draws, with the standard deviation among them; the share of
the 500 inside the 90 % interval; and seconds of one fit, calibration included.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy.stats import kendalltau

from archwright.benchmarks import nasbench201
from archwright.benchmarks.files import data_file, read_csv
from archwright.benchmarks.nas_bench_201 import FILE, row_of
from archwright.predictors import Calibrated, Gaussian, GradientBoosting, GraphNetwork, Networks, RandomForest, Warped
from archwright.predictors.validation import scores
from archwright.spaces.nas_bench_201 import from_string

SIZES = (20, 50, 100, 200)
ASKED = 500
PREDICTORS = {
    "Gaussian": Gaussian(),
    "RandomForest": RandomForest(),
    "GradientBoosting": GradientBoosting(),
    "Networks": Networks(),
    "GraphNetwork": GraphNetwork(),
}


def flops() -> np.ndarray:
    """Of each architecture, for CIFAR-100, whose networks differ from CIFAR-10's in the last layer only."""
    raw = read_csv(data_file(FILE))
    values = np.empty(len(raw["arch"]))
    values[[row_of(from_string(text)) for text in raw["arch"]]] = raw["cifar100_flops_M"]
    return values


def told(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=200, choices=(12, 200))
    parser.add_argument("--draws", type=int, default=10)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    benchmark = nasbench201(epochs=chosen.epochs)
    table = benchmark.table
    accuracy = table.mean("valid_accuracy")
    draws = [
        np.random.default_rng(seed).choice(len(table), max(SIZES) + ASKED, replace=False).tolist()
        for seed in range(chosen.draws)
    ]
    print(f"Kendall's tau, {chosen.epochs} epochs, {chosen.draws} draws\n")
    print(
        "| | " + " | ".join(f"{size} known" for size in SIZES) + f" | inside 90 %, {SIZES[-2]} | seconds, {SIZES[-2]} |"
    )
    print("|---|" + "---:|" * (len(SIZES) + 2))
    for name, values in (("parameters alone", table.mean("parameters")), ("FLOPs alone", flops())):
        alone = [kendalltau(values[rows[-ASKED:]], accuracy[rows[-ASKED:]]).statistic for rows in draws]
        print(f"| {name} | " + " | ".join([told(alone)] * len(SIZES)) + " | | |", flush=True)
    for name, predictor in PREDICTORS.items():
        cells, covered, seconds = [], [], []
        for size in SIZES:
            found = []
            for seed, rows in enumerate(draws):
                known, asked = ([table.architecture(row) for row in some] for some in (rows[:size], rows[-ASKED:]))
                started = time.perf_counter()
                fitted = Calibrated(Warped(predictor)).fit(benchmark.space, known, accuracy[rows[:size]], seed)
                taken = time.perf_counter() - started
                found.append(scores(accuracy[rows[-ASKED:]], *fitted.predict(asked)))
                if size == SIZES[-2]:
                    covered.append(found[-1].coverage90)
                    seconds.append(taken)
            cells.append(told([one.kendall for one in found]))
        print(f"| {name} | " + " | ".join(cells) + f" | {told(covered)} | {np.median(seconds):.2f} |", flush=True)


if __name__ == "__main__":
    main()
