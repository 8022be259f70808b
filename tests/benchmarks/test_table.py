"""What a table answers where places are empty, and which columns hold where."""

from dataclasses import replace

import numpy as np
import pytest

import archwright as aw
from archwright.benchmarks.table import BadTable, Benchmark, Table
from archwright.core.objective import Constraint


def net(signature, width):
    """Never built here."""


SPACE = aw.Space(net, width=aw.Choice(8, 16, 32))
ARCHITECTURES = list(aw.spaces.enumerate_all(SPACE))
EMPTY = np.nan


def benchmark(**columns):
    found = {name.replace("_at_", "@").replace("_seed_", "#"): np.array(column) for name, column in columns.items()}
    return Benchmark("mine", SPACE, Table(found, ARCHITECTURES.index, ARCHITECTURES.__getitem__))


def ask(bench, row, fidelity=1.0, seed=0):
    return bench.estimator.estimate(SPACE, aw.Trial(ARCHITECTURES[row], fidelity, seed))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_column_of_a_fidelity_counts_there_in_any_order(backwards):
    columns = {
        "valid_accuracy_at_0.5": [0.1, 0.2, 0.3],
        "seconds_at_0.5": [1.0, 2.0, 3.0],
        "valid_accuracy": [0.5, 0.6, 0.7],
        "seconds": [10.0, 20.0, 30.0],
        "parameters": [8.0, 16.0, 32.0],
    }
    bench = benchmark(**dict(reversed(columns.items())) if backwards else columns)
    low, full = ask(bench, 1, 0.5), ask(bench, 1)
    assert dict(low.metrics) == {"valid_accuracy": 0.2, "seconds": 2.0, "parameters": 16.0}
    assert dict(full.metrics) == {"valid_accuracy": 0.6, "seconds": 20.0, "parameters": 16.0}
    assert (low.cost, full.cost) == (2.0, 20.0)


def test_all_metrics_of_an_answer_are_of_one_repetition():
    bench = benchmark(
        valid_accuracy_seed_0=[0.1, EMPTY, 0.3],
        valid_accuracy_seed_1=[0.4, 0.5, 0.6],
        seconds_seed_0=[10.0, 20.0, EMPTY],
        seconds_seed_1=[11.0, 21.0, 31.0],
        valid_loss_seed_0=[1.0, 2.0, 3.0],
        valid_loss_seed_1=[4.0, EMPTY, 6.0],
    )
    assert dict(ask(bench, 0).metrics) == {"valid_accuracy": 0.1, "seconds": 10.0, "valid_loss": 1.0}
    assert dict(ask(bench, 0, seed=3).metrics) == {"valid_accuracy": 0.4, "seconds": 11.0, "valid_loss": 4.0}
    for seed in (0, 1, 2):  # the other one lacks the objective
        assert dict(ask(bench, 1, seed=seed).metrics) == {"valid_accuracy": 0.5, "seconds": 21.0}
        assert ask(bench, 2, seed=seed).cost == 31.0  # the other one has no cost


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (
            ("valid_accuracy@1", "valid_accuracy@1.0"),
            "@1 and valid_accuracy@1.0 are of the same metric, fidelity and seed: keep",
        ),
        (("seconds#0", "seconds#00"), "seconds#0 and seconds#00 are of the same metric"),
        (("valid_accuracy@.5#1", "valid_accuracy@5e-1#01"), "of the same metric, fidelity and seed"),
        (("valid_accuracy@.",), r"above 0 and at most 1, as in valid_accuracy@0.1: valid_accuracy@\."),
        (("valid_accuracy@2",), "above 0 and at most 1"),
        (("valid_accuracy@0",), "above 0 and at most 1"),
        (("valid_accuracy@-.5",), "above 0 and at most 1"),
        (("valid_accuracy@1e999",), "above 0 and at most 1"),
    ],
)
def test_columns_that_are_of_the_same_or_of_no_fidelity(names, complaint):
    with pytest.raises(BadTable, match=complaint):
        Table(dict.fromkeys(names, np.zeros(3)), ARCHITECTURES.index, ARCHITECTURES.__getitem__)


def test_the_digest_is_of_the_architectures_too():
    columns = {"valid_accuracy": np.array([0.5, 0.6, 0.7])}

    def digest(architectures, **columns):
        return Table(columns, architectures.index, architectures.__getitem__).digest

    known = digest(ARCHITECTURES, **columns)
    assert known == digest(list(ARCHITECTURES), valid_accuracy=np.array([0.5, 0.6, 0.7]))
    assert known != digest([ARCHITECTURES[place] for place in (0, 2, 1)], **columns)
    assert known != digest(ARCHITECTURES, valid_accuracy=np.array([0.5, 0.7, 0.6]))

    def ask(row):
        raise AssertionError("a table whose order is settled is not asked row by row")

    assert Table(columns, ARCHITECTURES.index, ask, fixed_order=True).digest != known


def test_a_row_without_a_cost_is_a_failure_where_costs_are_known():
    bench = benchmark(valid_accuracy=[0.5, 0.6, EMPTY], seconds=[10.0, EMPTY, EMPTY])
    found = ask(bench, 1)
    assert (found.failure, found.cost, dict(found.metrics)) == ("the table of mine has no seconds for it", 0.0, {})
    assert ask(bench, 2).failure == "the table of mine has no valid_accuracy and no seconds for it"
    assert ask(bench, 0).failure is None
    assert ask(benchmark(valid_accuracy=[0.5, 0.6, EMPTY]), 1).failure is None


def test_the_optimum_is_best_in_the_direction_of_its_own_name():
    bench = replace(benchmark(valid_accuracy=[0.5, 0.6, 0.7], test_loss=[2.0, 1.0, 3.0]), score="test_loss")
    assert bench.optimum() == 1.0
    assert bench.optimum("valid_accuracy") == 0.7
    other = replace(
        benchmark(valid_loss=[0.5, 0.6, 0.7], test_odd=[2.0, 1.0, 3.0]), objective="valid_loss", score="test_odd"
    )
    assert other.optimum() == 1.0  # no direction of its own: that of the objective
    assert other.optimum(maximize=True) == 3.0
    with pytest.raises(BadTable, match="no architecture of mine has a test_odd"):
        replace(benchmark(valid_loss=[1.0], test_odd=[EMPTY]), objective="valid_loss").optimum("test_odd")


def test_rows_that_keep_constraints_in_any_repetition():
    bench = benchmark(
        valid_accuracy=[0.5, 0.6, 0.7],
        latency_seed_0=[5.0, 9.0, EMPTY],
        latency_seed_1=[9.0, 9.0, EMPTY],
        size=[1.0, 2.0, 3.0],
        test_accuracy=[0.4, 0.5, 0.6],
    )
    kept = bench.estimator.keeping([Constraint("latency", 6.0)])
    assert kept.tolist() == [True, False, False]
    assert bench.optimum(rows=kept) == 0.4
    assert bench.estimator.keeping([Constraint("size", 2.0, at_least=True)]).tolist() == [False, True, True]
    none = bench.estimator.keeping([Constraint("size", 2.0, at_least=True), Constraint("latency", 6.0)])
    with pytest.raises(BadTable, match="that keeps the constraints has a test_accuracy"):
        bench.optimum(rows=none)
