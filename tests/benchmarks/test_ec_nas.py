"""The table against its file, read in another way."""

import csv
import gzip
import pickle
from collections import defaultdict
from statistics import fmean

import networkx as nx
import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.ec_nas import FILE, SIZE
from archwright.benchmarks.table import BadTable
from archwright.core.rng import Streams

FIDELITIES = {4: 1 / 27, 12: 1 / 9, 36: 1 / 3, 108: 1.0}


@pytest.fixture(scope="module")
def benchmark(bench_data):
    return aw.benchmarks.ecnas(bench_data)


@pytest.fixture(scope="module")
def trainings(bench_data):
    """By adjacency matrix and operations, then by epochs: the last lines of the trainings, in their order."""
    found = defaultdict(lambda: defaultdict(list))
    with gzip.open(bench_data / FILE, "rt") as file:
        for line in csv.DictReader(file):
            if float(line["epoch"]) == float(line["budget_epochs"]):
                found[line["adj"], line["ops"]][int(line["budget_epochs"])].append(line)
    return found


def cell(adjacency, operations):
    """The architecture: the cell's vertices are 0, 1, 2 and 6 of the space's."""
    labels, places = operations.split(","), [0, 1, 2, 6]
    places = [*places[: len(labels) - 1], 6]
    there = {
        (places[a], places[b])
        for a in range(len(labels))
        for b in range(len(labels))
        if adjacency[a * len(labels) + b] == "1"
    }
    edges = {(0, 1): 0, (0, 2): 1, (1, 2): 2, (0, 6): 15, (1, 6): 16, (2, 6): 17}
    ops = ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]
    inner = [ops.index(label) for label in labels[1:-1]] + [0, 0]
    return aw.Architecture(
        (
            *((f"edges[{index}]", int(edge in there)) for edge, index in edges.items()),
            *((f"ops[{place}]", op) for place, op in enumerate(inner[:2])),
        )
    )


def test_each_training_of_the_file_answers(benchmark, trainings):
    assert len(trainings) == len(benchmark.table) == SIZE == 91
    for (adjacency, operations), by_epochs in trainings.items():
        architecture = cell(adjacency, operations)
        assert sorted(by_epochs) == sorted(FIDELITIES)
        for epochs, lines in by_epochs.items():
            assert len(lines) == 3
            for seed in range(4):
                answer = benchmark.estimator.estimate(benchmark.space, aw.Trial(architecture, FIDELITIES[epochs], seed))
                line = lines[seed % 3]
                assert answer.metrics["valid_accuracy"] == float(line["val_acc"])
                assert answer.metrics["energy_kwh"] == float(line["energy_kwh"])
                assert answer.metrics["parameters"] == float(line["params"])
                assert answer.cost == float(line["train_time_s"])
                assert not any(name.startswith("test_") for name in answer.metrics)
        tested = fmean(float(line["test_acc"]) for line in by_epochs[108])
        assert benchmark.final(architecture)["test_accuracy"] == pytest.approx(tested, rel=1e-12)
    means = [fmean(float(line["test_acc"]) for line in by_epochs[108]) for by_epochs in trainings.values()]
    assert benchmark.optimum() == pytest.approx(max(means), rel=1e-12)


def test_the_space_has_each_graph_of_the_file_and_no_other(benchmark):
    """Cells count as one where some isomorphism keeps the labels: by networkx, not by the benchmark's hash."""
    kinds: list[nx.DiGraph] = []
    for architecture in aw.spaces.enumerate_all(benchmark.space):
        graph = benchmark.space.graph(architecture)
        made = nx.DiGraph([(a, b) for a, b, _ in graph.edges])
        nx.set_node_attributes(made, dict(enumerate(graph.labels)), "label")
        if not any(nx.is_isomorphic(made, other, node_match=lambda one, two: one == two) for other in kinds):
            kinds.append(made)
    assert len(kinds) == SIZE


def test_rows_and_architectures_go_both_ways(benchmark):
    for row in range(SIZE):
        architecture = benchmark.table.architecture(row)
        assert benchmark.table.row(architecture) == row
        assert benchmark.space.excluded(architecture) is None


def test_its_networks_have_the_parameters_that_the_table_says(benchmark):
    signature = aw.Signature((3, 32, 32), 10)
    for row in np.random.default_rng(0).choice(SIZE, 3, replace=False).tolist():
        network = benchmark.space.build(benchmark.table.architecture(row), signature)
        counted = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
        assert counted == benchmark.table.columns["parameters"][row]


def test_a_fidelity_may_be_rounded(benchmark):
    architecture = benchmark.table.architecture(5)
    for rounded, exact in ((0.037, 1 / 27), (0.037037, 1 / 27), (0.1111, 1 / 9), (0.9999, 1.0)):
        one, other = (
            benchmark.estimator.estimate(benchmark.space, aw.Trial(architecture, level)) for level in (rounded, exact)
        )
        assert one.metrics == other.metrics
        assert one.trial.fidelity == rounded


def test_a_fidelity_that_it_lacks_names_those_that_it_has(benchmark):
    trial = aw.Trial(aw.spaces.sample(benchmark.space, Streams(0)[0]), 0.5)
    with pytest.raises(BadTable, match=r"fidelity 0\.037037, 0\.111111, 0\.333333, 1,"):
        benchmark.estimator.estimate(benchmark.space, trial)


def test_a_search_on_it_finds_the_best_of_its_own_metric(benchmark):
    search = aw.search(benchmark.space, aw.strategies.Exhaustive(), benchmark.estimator, objectives="valid_accuracy")
    evaluations = list(search)
    assert search.history.spent == SIZE
    assert not any(evaluation.failure for evaluation in evaluations)
    best = search.history.best.evaluation.metrics["valid_accuracy"]
    assert best == benchmark.table.columns["valid_accuracy@1.0#0"].max()


def test_it_travels_by_name(benchmark):
    assert len(pickle.dumps(benchmark)) < 1000
    assert pickle.loads(pickle.dumps(benchmark)).optimum() == benchmark.optimum()


@pytest.mark.parametrize(
    ("header", "line", "complaint"),
    [
        ("hash,budget_epochs", "x1,4", "lacks the column epoch"),
        (
            "hash,budget_epochs,epoch,test_acc,params,val_acc,train_time_s,energy_kwh",
            "x1,4,4,1,1,1,1,1",
            "should have the 91 cells",
        ),
    ],
)
def test_a_file_that_is_none(tmp_path, header, line, complaint):
    with gzip.open(tmp_path / FILE, "wt") as file:
        file.write(f"{header}\n{line}\n")
    with pytest.raises(BadTable, match=complaint):
        aw.benchmarks.ecnas(tmp_path)


def test_without_a_file(tmp_path):
    with pytest.raises(BadTable, match="EC-NAS' authors publish"):
        aw.benchmarks.ecnas(tmp_path)
