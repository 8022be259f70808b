"""The official files of NAS-Bench-201 and of NATS-Bench's topology space, which hold the same trainings."""

from __future__ import annotations

import bz2
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmarks.pickles import read_pickle, read_torch
from archwright.benchmarks.table import BadTable
from archwright.spaces.nas_bench_201 import from_string

DATASETS = {  # ours: (trained on the training split, scored as) for validation and for test
    "cifar10": (("cifar10-valid", "x-valid"), ("cifar10", "ori-test")),
    "cifar100": (("cifar100", "x-valid"), ("cifar100", "x-test")),
    "imagenet16": (("ImageNet16-120", "x-valid"), ("ImageNet16-120", "x-test")),
}
EPOCHS = {12: ("12", "less"), 200: ("200", "full")}
"""What NATS-Bench and NAS-Bench-201 call the trainings of so many epochs."""

RELIABLE = 888
"""The seed whose parameter count is right where the seeds disagree, as the official reader says."""


def read(path: Path) -> dict[str, list[Any]]:
    """The columns of `nasbench201.csv.gz`, a row an architecture in the benchmark's order; what is missing is NaN.

    Args:
        path: `NATS-tss-...pickle.pbz2`, the folder `NATS-tss-...-simple`, or `NAS-Bench-201-...pth`.

    Raises:
        BadTable: none of these, or one that holds anything else than plain data.
    """
    try:
        strings, trainings = _opened(path)
        if not strings or not all(str(text).startswith("|") for text in strings):
            raise BadTable(f"{path} is not of the topology space: its architectures are called {strings[:1]}")
        for text in strings:
            from_string(str(text))  # refuses what is no cell of the benchmark
        table: list[dict[str, float]] = [{} for _ in strings]
        for index, by_epochs in trainings:
            table[index] = _row(by_epochs)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, ArithmeticError) as error:
        raise BadTable(f"{path} is not laid out as the files of NATS-Bench are: {error!r}") from None
    if not any(table):
        raise BadTable(f"{path} holds no training")
    names = dict.fromkeys(name for row in table for name in row)
    numbers = {name: [row.get(name, np.nan) for row in table] for name in names}
    return {"index": list(range(len(strings))), "arch": [str(text) for text in strings], **numbers}


def _opened(path: Path) -> tuple[list[str], Iterator[tuple[int, Mapping[str, Any]]]]:
    """All architectures' strings, and the trainings of those that the file has."""
    if path.is_dir():
        files = sorted(file for file in path.glob("*.pickle.pbz2") if file.name[0].isdigit())
        return _pickle(path / "meta.pickle.pbz2")["meta_archs"], (
            (int(file.name.partition(".")[0]), _pickle(file)) for file in files
        )
    whole = read_torch(path) if path.suffix == ".pth" else _pickle(path)
    return whole["meta_archs"], iter(whole["arch2infos"].items())


def _pickle(path: Path) -> Any:
    try:
        with bz2.open(path) as file:
            return read_pickle(file, path)
    except OSError as error:
        raise BadTable(f"{path} can't be read: {error}") from None


def _row(by_epochs: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for dataset, (valid, test) in DATASETS.items():
        for epochs, names in EPOCHS.items():
            state = next((by_epochs[name] for name in names if name in by_epochs), None)
            if state is None:
                continue
            valids, tests = _scores(state, *valid, epochs), _scores(state, *test, epochs)
            if epochs == 200:
                found |= {f"{dataset}_valid_200_seed{place}": score for place, score in enumerate(valids)}
            found |= _mean(f"{dataset}_valid_{epochs}", valids) | _mean(f"{dataset}_test_{epochs}", tests)
            if epochs == 200:
                trainings = _trainings(state, valid[0])
                seconds = [sum(item["train_times"].values()) for _, item in trainings]
                found |= _mean(f"{dataset}_train_seconds_200", seconds)
                found |= _mean(f"{dataset}_params_M", _agreed([(seed, item["params"]) for seed, item in trainings]))
    return found


def _trainings(state: Mapping[str, Any], dataset: str) -> list[tuple[int, Mapping[str, Any]]]:
    seeds = sorted(state["dataset_seed"].get(dataset, ()))
    return [(seed, state["all_results"][dataset, seed]) for seed in seeds]


def _scores(state: Mapping[str, Any], dataset: str, split: str, epochs: int) -> list[float]:
    """After the last epoch, one a seed."""
    return [float(item["eval_acc1es"][f"{split}@{epochs - 1}"]) for _, item in _trainings(state, dataset)]


def _agreed(by_seed: list[tuple[int, float]]) -> list[float]:
    different = len({round(float(count), 5) for _, count in by_seed}) > 1
    return [float(count) for seed, count in by_seed if not different or seed == RELIABLE]


def _mean(name: str, values: list[float]) -> dict[str, float]:
    return {name: sum(values) / len(values)} if values else {}
