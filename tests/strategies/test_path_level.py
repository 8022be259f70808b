"""The tree LSTM against its equations, and the strategy that reads by it."""

import numpy as np
import torch

from archwright.strategies import PathLevel
from archwright.strategies.models.actors import Tree
from tests.strategies.growing import Scores, searched, space


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def test_the_tree_lstm_is_that_of_its_equations():
    """A decision that opens two: Tai et al., 2015, equations 2 to 8, then one step down."""
    torch.manual_seed(0)
    tree, inputs = Tree(2, 3).double(), torch.randn(3, 2, dtype=torch.float64)
    with torch.no_grad():
        found = tree(inputs, [-1, 0, 0]).numpy()
    weight, bias = tree.gates.weight.detach().numpy(), tree.gates.bias.detach().numpy()
    forget, lift = tree.forget.weight.detach().numpy(), tree.forget.bias.detach().numpy()
    x = inputs.numpy()

    def up(own, below):
        state = sum((h for h, _ in below), np.zeros(3))
        write, read, new = np.split(weight @ np.concatenate([own, state]) + bias, 3)
        memory = sigmoid(write) * np.tanh(new)
        for h, c in below:
            memory = memory + sigmoid(forget @ np.concatenate([own, h]) + lift) * c
        return sigmoid(read) * np.tanh(memory), memory

    leaves = [up(x[1], []), up(x[2], [])]
    root = up(x[0], leaves)
    np.testing.assert_allclose(found[:, :3], [root[0], leaves[0][0], leaves[1][0]], atol=1e-12)
    with torch.no_grad():
        nothing = torch.zeros(3, dtype=torch.float64)
        above = tree.down(torch.tensor(root[0]), (nothing, nothing))
        below = [tree.down(torch.tensor(leaf[0]), above)[0] for leaf in leaves]
    np.testing.assert_allclose(found[:, 3:], torch.stack([above[0], *below]).numpy(), atol=1e-12)


def test_each_decision_hears_of_all_that_hang_together():
    torch.manual_seed(1)
    tree = Tree(2, 3).double()
    inputs = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    heard = tree(inputs, [-1, 0, 1, 0, -1])
    for place in range(5):
        (gradient,) = torch.autograd.grad(heard[place].sum(), inputs, retain_graph=True)
        together = [0, 1, 2, 3] if place < 4 else [4]
        assert [row for row in range(5) if gradient[row].any()] == together


def test_it_grows_one_network_by_so_many_morphisms():
    made = space(8)
    strategy = PathLevel(networks=4, morphisms=3, stage=1000, hidden=4, embedding=3)
    history = searched(strategy, Scores(sum), 9, made)
    assert {item.trial.parent for item in history[1:]} == {0}
    for item in history[1:]:
        layers = made.resolve(item.trial.architecture)["layers"]
        steps = len(layers) - 1 + sum({1: 0, 2: 1, 4: 2}[width] for width in layers)
        assert steps >= 3  # a copied layer brings its width along
        assert len(layers) <= 4
