from dataclasses import replace

import numpy as np
import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe
from archwright.estimators import Inherited, Mean, Staged, Training
from archwright.registry import rebuild
from archwright.testing import check_estimator


class Noisy:
    metrics = frozenset({"valid_accuracy", "parameters", "epochs"})

    def estimate(self, space, trial):
        if trial.seed == 13:
            return aw.Evaluation(trial, cost=4.0, failure="unlucky")
        metrics = {"valid_accuracy": 0.1 * trial.seed, "parameters": 5.0, "epochs": 2.0}
        if trial.seed % 2:
            metrics["odd"] = 1.0
        return aw.Evaluation(trial, metrics, (1.0, float(trial.seed), 3.0)[: 2 + trial.seed % 2], cost=10.0)


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


def trial(first=3, **more):
    return aw.Trial(aw.Architecture((("edges[0]", first), *((f"edges[{place}]", 3) for place in range(1, 6)))), **more)


def test_means_sums_and_deviations_by_hand(space):
    found = Mean(Noisy(), seeds=3).estimate(space, trial(seed=2))  # seeds 6, 7 and 8
    assert found.trial == trial(seed=2)
    assert found.metrics == {
        "valid_accuracy": pytest.approx(0.7),
        "valid_accuracy_std": pytest.approx(0.1),
        "parameters": 5.0,
        "epochs": 6.0,
    }
    assert found.curve == (1.0, 7.0)
    assert found.cost == 30.0
    assert set(found.metrics) == Mean(Noisy()).metrics


def test_no_seed_is_asked_twice():
    asked = [Mean(Noisy(), seeds=4)._asked(trial(seed=seed), number).seed for seed in range(5) for number in range(4)]
    assert asked == list(range(20))


def test_one_failure_is_that_of_all(space):
    found = Mean(Noisy(), seeds=4).estimate(space, trial(seed=3))  # 12, 13, ...
    assert (found.failure, found.cost, found.trial) == ("unlucky", 14.0, trial(seed=3))


def test_of_trainings_it_is_the_mean(space):
    task = aw.tasks.digits()
    found = Mean(Training(task, 2), seeds=2).estimate(space, trial(seed=1))
    each = [Training(task, 2).estimate(space, trial(seed=seed)) for seed in (2, 3)]
    accuracies = [one.metrics["valid_accuracy"] for one in each]
    assert found.metrics["valid_accuracy"] == pytest.approx(np.mean(accuracies))
    assert found.metrics["valid_accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert found.metrics["parameters"] == each[0].metrics["parameters"]
    np.testing.assert_allclose(found.curve, np.mean([one.curve for one in each], axis=0))


def test_a_child_inherits_from_its_parent_under_the_same_seed(space, tmp_path):
    inside = Inherited(Training(aw.tasks.digits(), 1)).stored(str(tmp_path))
    estimator, history = Mean(inside, seeds=2), History("valid_accuracy")
    parent = trial(seed=4)
    assert estimator.briefing(space, history, parent) is not None
    history.append(history.ask(parent), estimator.estimate(space, parent))
    child = trial(2, parent=0)
    briefing = estimator.briefing(space, history, child)
    assert [told[0] for told in briefing] == [replace(parent, seed=8), replace(parent, seed=9)]
    found = estimator.estimate(space, child, briefing)
    assert found.metrics["inherited"] > 0.5


def test_the_histories_of_the_seeds_grow_with_the_search(space):
    seen = []

    class Watching(Noisy):
        def briefing(self, space, history, trial):
            seen.append([evaluation.trial.seed for evaluation in history])

        def estimate(self, space, trial, briefing=None):
            return super().estimate(space, trial)

    estimator, history = Mean(Watching(), seeds=2), History("valid_accuracy")
    for seed in range(3):
        asked = trial(seed=seed)
        assert estimator.briefing(space, history, asked) is None
        history.append(history.ask(asked), estimator.estimate(space, asked))
    assert seen == [[], [], [0], [1], [0, 2], [1, 3]]


def test_it_keeps_the_contract_and_is_made_again(space):
    task = aw.tasks.digits()
    _ = task.splits
    estimator = Mean(Training(task, 1), 2)
    check_estimator(estimator, space, architectures=1)
    assert describe(rebuild("estimators", describe(estimator))) == describe(estimator)
    assert estimator.task is task


def test_one_seed_is_no_mean():
    with pytest.raises(ArchwrightError, match="at least 2 seeds"):
        Mean(Noisy(), seeds=1)


def test_a_stage_inside_is_refused(space):
    with pytest.raises(ArchwrightError, match=r"write Staged\(cheap, Mean\(dear\)\)"):
        Mean(Staged(Noisy(), Noisy(), by="valid_accuracy"))
    found = Staged(Noisy(), Mean(Noisy(), seeds=2), by="valid_accuracy").estimate(space, trial(seed=2))
    assert (found.failure, found.cost) == (None, 30.0)
