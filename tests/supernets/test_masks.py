from collections import Counter
from itertools import permutations

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.supernets import OpenNetwork
from archwright.supernets.relaxations.masks import Masks
from tests.supernets.nodes import SIGNATURE, batch, space

NUMBERS = [0.9, 0.3, 0.6]


@pytest.fixture
def relaxation():
    torch.manual_seed(0)
    made = Masks(OpenNetwork(space(), SIGNATURE).double(), learning_rate=0.5).double()
    with torch.no_grad():
        made.masks[0].copy_(torch.tensor(NUMBERS))
    return made


def test_items_are_drawn_one_after_the_other_without_those_drawn_before(relaxation):
    wanted = Counter()
    for first, second in permutations(range(3), 2):
        wanted[frozenset((first, second))] += NUMBERS[first] / 1.8 * NUMBERS[second] / (1.8 - NUMBERS[first])
    torch.manual_seed(1)
    drawn = Counter()
    for _ in range(3000):
        binary = relaxation.weights()["reads"]
        assert sorted(binary.tolist()) == [0.0, 1.0, 1.0]
        drawn[frozenset(binary.nonzero().flatten().tolist())] += 1
    for pair, probability in wanted.items():
        assert drawn[pair] / 3000 == pytest.approx(probability, abs=4 * (probability * (1 - probability) / 3000) ** 0.5)


def test_the_gradient_of_the_binary_mask_moves_all_numbers(relaxation):
    """Against finite differences of the loss in each entry of the mask that was drawn."""
    images, targets = batch(0)
    network = relaxation.network
    binary, before, after = _learn(relaxation, images, targets)
    others = {name: row for name, row in network.choices.items() if name != "reads"}
    kept = {name: dict(choice.weights) for name, choice in others.items()}

    def loss(mask):
        network.mix(kept | {"reads": dict(enumerate(mask))})
        with torch.no_grad():
            return float(nn.functional.cross_entropy(network(images), targets))

    for item in range(3):
        plus, minus = list(binary), list(binary)
        plus[item] += 1e-5
        minus[item] -= 1e-5
        gradient = (loss(plus) - loss(minus)) / 2e-5
        assert abs(gradient) > 1e-4
        assert after[item] == pytest.approx(min(1.0, max(0.0, before[item] - 0.5 * gradient)), abs=1e-8)


def _learn(relaxation, images, targets):
    """One step; the mask that was drawn, and the numbers before and after."""
    before = relaxation.masks[0].tolist()
    for _ in relaxation.draws():
        binary = relaxation.network.choices["reads"].weights
        drawn = [binary[item].item() for item in range(3)]
        nn.functional.cross_entropy(relaxation.network(images), targets).backward()
    return drawn, before, relaxation.masks[0].tolist()


def test_numbers_stay_between_0_and_1_and_there_is_always_something_to_draw(relaxation):
    images, targets = batch(0)
    relaxation.learning_rate = 1e4
    for _ in range(5):
        _, _, after = _learn(relaxation, images, targets)
        assert set(after) <= {0.0, 1.0} | set(NUMBERS)
    with torch.no_grad():
        relaxation.masks[0].zero_()
    assert sorted(relaxation.weights()["reads"].tolist()) == [0.0, 1.0, 1.0]


def test_the_largest_numbers_stay(relaxation):
    pairs = relaxation.subsets[0].choice.combinations
    assert pairs[relaxation.architecture()["reads"]] == (0, 2)
    relaxation.settle()
    assert relaxation.network.choices["reads"].weights == {0: 1.0, 2: 1.0}


def test_a_space_without_a_subset_is_refused():
    network = OpenNetwork(aw.spaces.nasbench201(cells=1, channels=2), SIGNATURE)
    with pytest.raises(ArchwrightError, match="declares no Subset"):
        aw.strategies.MaskConnect().relax(network)


def test_weights_that_are_no_numbers_are_told_by_the_loss():
    """The masks learn from the same pass as the weights, so they are no numbers either when a mask is drawn next."""
    wild = aw.tasks.Hyperparameters(batch_size=4, learning_rate=1e30, precision="float32", gradient_clip=0.0)
    images, targets = torch.randn(24, 1, 5, 5), torch.arange(24) % 3
    task = aw.tasks.arrays(images.numpy(), targets.numpy())
    estimator = aw.estimators.WeightSharing(task, epochs=2, shared=wild, device="cpu")
    (last,) = aw.search(space(), aw.strategies.MaskConnect(), estimator, objectives="valid_accuracy")
    assert "the training loss became nan" in last.failure
