"""Each predictor on real measurements: 100 architectures to learn from, 500 others to rank."""

import importlib.util

import numpy as np
import pytest

from archwright.benchmarks import nasbench201
from archwright.predictors import Calibrated, Gaussian, GradientBoosting, GraphNetwork, Networks, RandomForest, Warped
from archwright.predictors.validation import scores

FLOORS = {  # Kendall's tau after 200 epochs; parameters alone reach 0.53
    "random forest": (RandomForest(), 0.66, 3),
    "gradient boosting": (GradientBoosting(), 0.70, 3),
    "gaussian": (Gaussian(), 0.70, 3),
    "networks": (Networks(), 0.66, 4),
    "graph network": (GraphNetwork(members=3), 0.70, 2),
}


@pytest.mark.parametrize("name", FLOORS)
def test_it_ranks_and_knows_how_sure_it_is(name, bench_data):
    if name == "gradient boosting" and importlib.util.find_spec("lightgbm") is None:
        pytest.skip("LightGBM is an extra")
    predictor, floor, draws = FLOORS[name]
    benchmark = nasbench201(epochs=200, data=bench_data)
    accuracy, found = benchmark.table.mean("valid_accuracy"), []
    for seed in range(draws):
        rows = np.random.default_rng(seed).choice(len(accuracy), 600, replace=False).tolist()
        drawn = [benchmark.table.architecture(row) for row in rows]
        fitted = Calibrated(Warped(predictor)).fit(benchmark.space, drawn[:100], accuracy[rows[:100]], seed)
        found.append(scores(accuracy[rows[100:]], *fitted.predict(drawn[100:])))
    assert np.mean([one.kendall for one in found]) > floor
    assert 0.8 < np.mean([one.coverage90 for one in found]) < 0.97
