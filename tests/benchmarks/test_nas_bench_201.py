"""What is published about the benchmark, proven on its table."""

import csv
import gzip
import pickle

import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.nas_bench_201 import BEST, DATASETS, SIZE
from archwright.benchmarks.table import BadTable
from archwright.spaces.nas_bench_201 import from_string


@pytest.fixture(scope="module")
def rows(bench_data):
    with gzip.open(bench_data / "nasbench201.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("dataset", "best_valid", "mean_test"), [
    ("cifar10", 0.9161, 0.8706), ("cifar100", 0.7349, 0.6141), ("imagenet16", 0.467, 0.3359)
])  # fmt: skip
def test_optimum_and_size(bench_data, dataset, best_valid, mean_test):
    benchmark = aw.benchmarks.nasbench201(dataset, epochs=200, data=bench_data)
    assert len(benchmark.table) == SIZE == 15_625
    assert benchmark.optimum() == pytest.approx(BEST[dataset], abs=5e-5)
    assert np.nanmax(benchmark.table.mean("valid_accuracy")) == pytest.approx(best_valid, abs=5e-4)
    assert benchmark.table.mean("test_accuracy").mean() == pytest.approx(mean_test, abs=5e-5)
    assert set(BEST) == set(DATASETS)


def test_rows_are_those_of_the_file(bench_data, rows):
    benchmark = aw.benchmarks.nasbench201(data=bench_data)
    for row in rows[::487]:
        architecture = from_string(row["arch"])
        evaluation = benchmark.estimator.estimate(benchmark.space, aw.Trial(architecture))
        assert evaluation.metrics["valid_accuracy"] == pytest.approx(float(row["cifar10_valid_12"]) / 100)
        assert evaluation.cost == pytest.approx(float(row["cifar10_train_seconds_200"]) * 12 / 200)
        assert benchmark.final(architecture)["test_accuracy"] == pytest.approx(float(row["cifar10_test_200"]) / 100)
        assert not any(name.startswith("test_") for name in evaluation.metrics)
        assert benchmark.table.architecture(benchmark.table.row(architecture)) == architecture


def test_the_full_training_has_three_seeds_and_a_lower_fidelity(bench_data, rows):
    benchmark = aw.benchmarks.nasbench201("cifar100", epochs=200, data=bench_data)
    architecture = from_string(rows[77]["arch"])

    def valid(fidelity, seed):
        evaluation = benchmark.estimator.estimate(benchmark.space, aw.Trial(architecture, fidelity, seed))
        return round(evaluation.metrics["valid_accuracy"] * 100, 4), evaluation.cost

    seconds = float(rows[77]["cifar100_train_seconds_200"])
    for seed in range(4):
        assert valid(1.0, seed) == (float(rows[77][f"cifar100_valid_200_seed{seed % 3}"]), pytest.approx(seconds))
    assert valid(0.06, 0) == (float(rows[77]["cifar100_valid_12"]), pytest.approx(seconds * 0.06))
    with pytest.raises(BadTable, match=r"measured at fidelity 0\.06, 1"):
        valid(0.5, 0)


def test_extras(bench_data):
    benchmark = aw.benchmarks.nasbench201(extras=("hardware", "robustness", "zero_cost"), data=bench_data)
    known = benchmark.estimator.metrics
    assert {"edgegpu_latency_ms", "raspi4_latency_ms", "robust_clean", "zero_cost_snip"} <= known
    with gzip.open(bench_data / "nasbench201_hardware_cifar10.csv.gz", "rt") as file:
        hardware = next(csv.DictReader(file))
    with gzip.open(bench_data / "nasbench201.csv.gz", "rt") as file:
        string = next(row["arch"] for row in csv.DictReader(file) if row["index"] == hardware["index"])
    evaluation = benchmark.estimator.estimate(benchmark.space, aw.Trial(from_string(string)))
    assert evaluation.metrics["edgegpu_latency_ms"] == float(hardware["edgegpu_latency"])


def test_twins_of_other_latency_are_asked_apart(bench_data):
    """Accuracies are reused between equal cells; where latencies count, every row of the table is in reach."""
    first = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    twin = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    for extras, reused in (((), True), (("hardware",), False)):
        space = aw.benchmarks.nasbench201(extras=extras, data=bench_data).space
        keys = {space.key(from_string(text)) for text in (first, twin)}
        assert (len(keys) == 1) == reused


def test_what_was_not_measured_is_a_failure_and_no_crash(bench_data):
    """The zero-cost table has 9,445 of the 15,625 architectures."""
    benchmark = aw.benchmarks.nasbench201(extras=("zero_cost",), data=bench_data)
    search = aw.search(benchmark.space, aw.strategies.Random(), benchmark.estimator, objectives="max:zero_cost_snip")
    evaluations = list(aw.budget(search, evaluations=50))
    assert {evaluation.failure for evaluation in evaluations} == {None, "zero_cost_snip was not measured"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"dataset": "cifar1"}, "did you mean cifar10"),
        ({"epochs": 90}, "12 and for 200 epochs, not for 90"),
        ({"extras": ("hardwear",)}, "did you mean hardware"),
        ({"extras": ("robustness",), "dataset": "cifar100"}, "exist for cifar10 only"),
    ],
)
def test_mistakes(bench_data, arguments, complaint):
    with pytest.raises(BadTable, match=complaint):
        aw.benchmarks.nasbench201(**arguments, data=bench_data)


def test_it_travels_by_name(bench_data):
    benchmark = aw.benchmarks.nasbench201("cifar100", data=bench_data)
    assert len(pickle.dumps(benchmark.estimator)) < 1000
    assert pickle.loads(pickle.dumps(benchmark.estimator)).benchmark.optimum() == benchmark.optimum()
