import pytest

from archwright.core.parts import kebab


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
