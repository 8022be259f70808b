import pytest

import archwright as aw
from archwright.benchmarks import nasbench201
from archwright.runtime.simulated import Simulated
from archwright.strategies.nas_bowl import NASBOWL


def test_finds_the_optimum_of_nasbench201(bench_data):
    benchmark = nasbench201(data=bench_data)
    run = aw.budget(
        aw.search(
            benchmark.space, NASBOWL(), benchmark.estimator, objectives="valid_accuracy", executor=Simulated(), seed=0
        ),
        minutes=200,
    )
    for _ in run:
        pass
    found = benchmark.final(run.history.best.evaluation.trial.architecture)["test_accuracy"]
    assert found == pytest.approx(benchmark.optimum(), abs=2e-4)
    keys = [benchmark.space.key(evaluation.trial.architecture) for evaluation in run.history[10:]]
    assert len(set(keys)) == len(keys)  # nothing that is known is proposed again
