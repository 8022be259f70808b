"""What is published about the benchmark, proven on its table."""

import pickle

import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.nas_bench_101 import BEST, SIZE
from archwright.benchmarks.table import BadTable
from archwright.core.rng import Streams


@pytest.fixture(scope="module")
def benchmark(bench_data):
    return aw.benchmarks.nasbench101(bench_data)


def test_optimum_and_size(benchmark):
    assert len(benchmark.table) == SIZE == 423_624
    assert benchmark.optimum() == pytest.approx(0.9466, abs=5e-5)  # one training; the published mean of three is lower
    assert benchmark.optimum() > BEST["test_accuracy"] == 0.9432
    assert benchmark.optimum("parameters") == 227_274
    assert benchmark.optimum("parameters", maximize=True) == 49_979_274


def test_rows_and_architectures_go_both_ways(benchmark):
    rows = np.random.default_rng(1).choice(SIZE, size=300, replace=False)
    for row in [0, SIZE - 1, *rows.tolist()]:
        architecture = benchmark.table.architecture(row)
        assert benchmark.table.row(architecture) == row
        assert benchmark.space.excluded(architecture) is None


def test_isomorphic_architectures_have_one_row(benchmark):
    """Vertices 1 and 2 of equal standing, swapped."""
    space = benchmark.space
    names = [f"edges[{index}]" for index in range(21)]
    there = {(0, 1): 0, (0, 2): 1, (1, 6): 16, (2, 6): 17}

    def cell(ops):
        edges = [(name, int(index in there.values())) for index, name in enumerate(names)]
        return aw.Architecture((*edges, *((f"ops[{index}]", op) for index, op in enumerate(ops))))

    left, right = cell((0, 2, 0, 0, 0)), cell((2, 0, 1, 1, 1))
    assert space.key(left) == space.key(right)
    assert benchmark.table.row(left) == benchmark.table.row(right) is not None


def test_what_the_space_excludes_has_no_row(benchmark):
    everything = aw.Architecture(
        (*((f"edges[{index}]", 1) for index in range(21)), *((f"ops[{index}]", 0) for index in range(5)))
    )
    assert benchmark.table.row(everything) is None
    with pytest.raises(BadTable, match="has no row"):
        benchmark.final(everything)


def test_the_one_number_goes_by_an_honest_name(benchmark):
    assert (benchmark.objective, benchmark.score) == ("accuracy", "test_accuracy")
    assert benchmark.estimator.metrics == {"accuracy", "parameters"}
    with pytest.raises(aw.BadObjective, match="no metric 'valid_accuracy'"):
        aw.search(benchmark.space, aw.strategies.Random(), benchmark.estimator, objectives="valid_accuracy")
    trial = aw.Trial(aw.spaces.sample(benchmark.space, Streams(0)[0]))
    evaluation = benchmark.estimator.estimate(benchmark.space, trial)
    assert evaluation.cost == 0.0
    assert benchmark.final(trial.architecture) == {"test_accuracy": evaluation.metrics["accuracy"]}


def test_a_search_on_it(benchmark):
    evolution = aw.strategies.RegularizedEvolution(20, 5)
    search = aw.search(benchmark.space, evolution, benchmark.estimator, objectives=benchmark.objective, seed=0)
    evaluations = list(aw.budget(search, evaluations=100))
    assert not any(evaluation.failure for evaluation in evaluations)
    assert search.history.spent == 100
    best = search.history.best.evaluation.trial.architecture
    assert 0.93 < benchmark.final(best)["test_accuracy"] <= benchmark.optimum()


def test_it_travels_by_name(benchmark):
    assert len(pickle.dumps(benchmark)) < 1000
    again = pickle.loads(pickle.dumps(benchmark))
    assert again.optimum() == benchmark.optimum()


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"hash16": np.array([b"0" * 16])}, "lacks the array vertices"),
        (
            dict.fromkeys(("vertices", "edges", "ops", "params"), np.zeros(2))
            | {"hash16": np.array([b"f" * 16, b"0" * 16])},
            "sorted by hash16",
        ),
    ],
)
def test_a_file_that_is_none(tmp_path, arrays, complaint):
    np.savez(tmp_path / "nasbench101.npz", **arrays)
    with pytest.raises(BadTable, match=complaint):
        aw.benchmarks.nasbench101(tmp_path)


def test_without_a_file(tmp_path):
    with pytest.raises(BadTable, match="archwright benchmark import"):
        aw.benchmarks.nasbench101(tmp_path)
