import pytest

from archwright.core.parts import kebab, on_device


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RegularizedEvolution", "regularized-evolution"),
        ("QLearning", "q-learning"),
        ("PPO", "ppo"),
        ("GeneticCNN", "genetic-cnn"),
        ("NSGA2", "nsga2"),
        ("fashion_mnist", "fashion-mnist"),
        ("nasbench201", "nasbench201"),
        ("q-learning", "q-learning"),
    ],
)
def test_kebab(name, expected):
    assert kebab(name) == expected


def test_a_device_is_changed_in_estimators_and_nowhere_else():
    def training(device):
        costs = [{"name": "latency", "arguments": {"device": "cuda"}}]
        return {"name": "training", "arguments": {"task": None, "costs": costs, "device": device}}

    def staged(device):
        mean = {"name": "mean", "arguments": {"of": training(device), "seeds": 3}}
        return {"name": "staged", "arguments": {"cheap": training(device), "dear": mean, "by": "max:synflow"}}

    assert on_device(staged("cuda"), "cpu") == staged("cpu")
    for other in (None, {"repr": "mine.Estimator"}, {"name": "predicted", "arguments": {"least": 10}}):
        assert on_device(other, "cpu") == other
