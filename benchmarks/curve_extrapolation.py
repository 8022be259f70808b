"""How well learning curves are extrapolated, and what that saves: NAS-Bench-201, NAS-Bench-NLP and TaskSet.

    OMP_NUM_THREADS=1 python benchmarks/curve_extrapolation.py [--whole] [--orders 10] [--out runs/curves.json]

First, from the first 10, 25 and 50 % of each curve: the mean and median absolute error of the score at the end, how
many ends lie in the predicted 90 % interval, and processor seconds a prediction. Models that learn from other curves
are cross-validated: five folds, each predicted from 100 curves of the others. The mixture takes seconds: it is asked
about the first 12 curves of each data set only, with its paper's 2,500 steps, and about 60 with 300 steps; with
`--whole` about all.

Then, a search among NAS-Bench-201's 200 curves in a random order, where a training ends after 20, 50, 100 or 150 epochs
if the probability that it will be the best is below 0.05: the share of the epochs that it takes, how often the best of
all is still found, and how far what is found lies below it. Models that learn do so once, from the first complete
curves.

Scores: accuracy in 0..1; minus the validation loss in nats; for TaskSet the share of the way from the untrained loss
(0) to the lowest of the task (1), cut off outside, with the eight hyper-parameters as numbers.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmarks.files import data_file, read_csv
from archwright.curves import Known, LastValue, LatentCurves, ParametricMixture, PowerLaw, Prediction, SupportVectors
from archwright.curves.extrapolator import Extrapolator

SEEN = (0.1, 0.25, 0.5)
MODELS: dict[str, Extrapolator] = {
    "last value": LastValue(),
    "power law": PowerLaw(),
    "parametric mixture": ParametricMixture(),
    "parametric mixture, 300 steps": ParametricMixture(steps=300, burn_in=100),
    "support vectors": SupportVectors(),
    "latent curves": LatentCurves(),
}
DEAR = {"parametric mixture": 12, "parametric mixture, 300 steps": 60}
"""About how many curves of each data set they are asked."""
EARLIER = {"support vectors, 30 curves": SupportVectors(least=30)}
"""In the search, beside the others."""
STOPS = (20, 50, 100, 150)


def nas_bench_201() -> list[Known]:
    stored = np.load(data_file("nasbench201_curves_cifar10.npz"))
    table = read_csv(data_file("nasbench201.csv.gz"))
    numbers = np.column_stack([table["cifar10_params_M"], table["cifar100_flops_M"]])
    return [
        Known(tuple(map(float, curve / 100)), None, tuple(map(float, numbers[place])))
        for place, curve in zip(stored["index"], stored["valid"], strict=True)
    ]


def nas_bench_nlp() -> list[Known]:
    with gzip.open(data_file("nasbench_nlp_wikitext2.jsonl.gz"), "rt") as file:
        rows = [json.loads(line) for line in file]
    whole = [row for row in rows if len(row["val_losses"]) == 50]
    return [Known(tuple(-loss for loss in row["val_losses"]), None, (row["num_params"],)) for row in whole]


def task_set(number: int, count: int = 125) -> list[Known]:
    stored = np.load(data_file(f"taskset_{number}.npz"))
    losses = stored["valid"].astype(float)
    whole = np.flatnonzero(np.isfinite(losses).all(axis=1))
    untrained, lowest = np.median(losses[whole, 0]), losses[whole, -1].min()
    scores = np.clip((untrained - losses) / (untrained - lowest), 0.0, 1.0)
    numbers = np.log(np.abs(stored["hyperparameters"].astype(float)) + 1e-12)
    picked = np.random.default_rng(number).permutation(whole)[:count]
    return [Known(tuple(map(float, scores[i])), None, tuple(map(float, numbers[i]))) for i in picked]


DATA: dict[str, Callable[[], list[list[Known]]]] = {
    "NAS-Bench-201": lambda: [nas_bench_201()],
    "NAS-Bench-NLP": lambda: [nas_bench_nlp()],
    "TaskSet": lambda: [task_set(number) for number in range(4)],
}


@dataclass
class Asked:
    """Of one model: each prediction, the truth, and what it took."""

    predictions: list[Prediction]
    ends: list[float]
    seconds: float
    learning: float = 0.0

    def line(self) -> dict[str, Any]:
        errors = np.abs(np.array([one.mean for one in self.predictions]) - self.ends)
        intervals = [one.interval(0.9) for one in self.predictions]
        inside = [low <= end <= high for (low, high), end in zip(intervals, self.ends, strict=True)]
        return {
            "curves": len(errors),
            "mean error": float(errors.mean()),
            "median error": float(np.median(errors)),
            "in 90 % interval": float(np.mean(inside)),
            "seconds a prediction": self.seconds / len(errors),
            "seconds of learning": self.learning,
        }


def folds(known: list[Known]) -> Iterator[tuple[list[Known], list[Known]]]:
    """Five times: 100 curves to learn from, and others to predict."""
    order = np.random.default_rng(0).permutation(len(known))
    for part in np.array_split(order, 5):
        rest = [place for place in order if place not in set(part)]
        yield [known[place] for place in rest[:100]], [known[place] for place in part]


def predicted(model: Extrapolator, sets: list[list[Known]], most: int | None) -> dict[float, Asked]:
    """By how much of a curve was seen."""
    found = {share: Asked([], [], 0.0) for share in SEEN}
    for known in sets:
        splits = folds(known) if model.least else [([], known[: most and max(1, most // len(sets))])]
        for number, (learnt_from, new) in enumerate(splits):
            fitted, horizon = model.fit(learnt_from, seed=number), len(new[0].curve)
            for share, asked in found.items():
                seen = max(1, round(share * horizon))
                started = time.process_time()
                if model.least:
                    fitted.predict(new[0].curve[:seen], horizon, new[0].numbers)  # learns
                    asked.learning += time.process_time() - started
                started = time.process_time()
                for place, one in enumerate(new):
                    asked.predictions.append(fitted.predict(one.curve[:seen], horizon, one.numbers, seed=place))
                    asked.ends.append(one.curve[-1])
                asked.seconds += time.process_time() - started
    return found


def searched(model: Extrapolator, known: list[Known], orders: int) -> dict[str, Any]:
    """Epochs, survival of the best, and regret, over random orders."""
    horizon = len(known[0].curve)
    best = max(one.curve[-1] for one in known)
    remembered: dict[tuple[int, int], Prediction] = {}  # of models that don't learn: the same in each order
    epochs, found = [], []
    for order in range(orders):
        fitted = model if not model.least else None
        complete: list[Known] = []
        used = 0
        for place in np.random.default_rng(order).permutation(len(known)):
            if fitted is None and len(complete) == model.least:
                fitted = model.fit(complete, seed=order)
            one, ended = known[place], horizon
            so_far = max((other.curve[-1] for other in complete), default=None)
            for seen in STOPS if fitted is not None and so_far is not None else ():
                prediction = None if model.least else remembered.get((place, seen))
                if prediction is None:
                    prediction = fitted.predict(one.curve[:seen], horizon, one.numbers, seed=int(place))
                    remembered[place, seen] = prediction
                if prediction.exceeds(so_far) < 0.05:
                    ended = seen
                    break
            used += ended
            if ended == horizon:
                complete.append(one)
        epochs.append(used / (horizon * len(known)))
        found.append(max(one.curve[-1] for one in complete))
    return {
        "orders": orders,
        "share of epochs": float(np.mean(epochs)),
        "best found": float(np.mean(np.array(found) == best)),
        "regret": float(np.mean(best - np.array(found))),
    }


def table(lines: list[dict[str, Any]]) -> str:
    head = list(lines[0])
    cells = [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in line.values()] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--whole", action="store_true", help="ask the mixture about all curves; takes hours")
    parser.add_argument("--orders", type=int, default=10, help="of the search; 0: no search")
    parser.add_argument("--data", nargs="*", default=list(DATA))
    parser.add_argument("--models", nargs="*", default=list(MODELS | EARLIER))
    parser.add_argument("--out", type=Path, default=Path("runs/curve_extrapolation.json"))
    chosen = parser.parse_args()
    errors, searches = [], []
    for name in chosen.data:
        sets = DATA[name]()
        for label, model in MODELS.items():
            if label in chosen.models:
                found = predicted(model, sets, None if chosen.whole else DEAR.get(label))
                errors += [{"data": name, "seen": share, "model": label, **one.line()} for share, one in found.items()]
                print(*errors[-len(SEEN) :], sep="\n", flush=True)
    errors.sort(key=lambda line: (chosen.data.index(line["data"]), line["seen"]))
    if chosen.orders:
        known = nas_bench_201()
        for label, model in (MODELS | EARLIER).items():
            if label in chosen.models and (chosen.whole or label != "parametric mixture"):
                searches.append({"model": label, **searched(model, known, chosen.orders)})
                print(searches[-1], flush=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps({"errors": errors, "searches": searches}, indent=1))
    print("\n\n".join(table(lines) for lines in (errors, searches) if lines))


if __name__ == "__main__":
    main()
