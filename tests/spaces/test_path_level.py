"""Cells that are trees of branches."""

import pytest
import torch

import archwright as aw
from archwright.spaces.morphing import decided_as

SIGNATURE = aw.Signature((1, 8, 8), 5)
REST = {"width": 9, "cells": 1, "stages": 1, "depth": 2}


def leaf(op):
    return {"op": op, "then": None}


def built(tree):
    space = aw.spaces.path_level(**REST)
    torch.manual_seed(0)
    return space.build(decided_as(space, {"tree": tree, **REST}), SIGNATURE).double().eval()


def test_the_number_of_trees_of_one_level():
    keeping, changing = 1 + 4 + 2, 4  # identity, convolutions, poolings; convolutions
    two_or_three = [operations**2 + operations**3 for operations in (keeping, keeping, changing, changing)]
    assert aw.spaces.size(aw.spaces.path_level(depth=1)) == 1 + (keeping - 1) + sum(two_or_three)


def test_what_a_tree_computes():
    """Half of the channels pooled, then doubled by two equal branches; the other half through a convolution."""
    two = {"shape": "replicate-add", "edges": [leaf("identity"), leaf("identity")]}
    tree = {"shape": "split-concat", "edges": [{"op": "max_pool_3x3", "then": two}, leaf("conv_1x1")]}
    network = built(tree)
    modules = {step.key: module for step, module in zip(network.plan, network.steps, strict=True)}
    blend = modules["cell 0.0", 0, 0, "sum"]
    assert blend.weights.tolist() == [0.5, 0.5]
    blend.weights.data = torch.tensor([0.75, 1.25], dtype=torch.float64)
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    seen = torch.relu(modules["widen 0", 0, "main", "norm"](modules["widen 0", 0, "main", "conv"](x)))
    left, right = seen[:, :4], seen[:, 4:]
    left = 2.0 * torch.nn.functional.max_pool2d(left, 3, 1, 1)
    weight = modules["cell 0.0", 0, 1, "main", "conv"].conv.weight[:, :, 0, 0]
    right = torch.einsum("oi,bihw->bohw", weight, right)
    right = torch.relu(right / (1 + 1e-5) ** 0.5)  # batch-norm that has seen nothing
    mean = torch.cat([left, right], 1).mean((2, 3))
    linear = modules["head", 0, "linear"].full
    torch.testing.assert_close(network(x), mean @ linear.weight.T + linear.bias)


def test_branches_of_a_divided_convolution_take_its_filters_in_order():
    parent = built({"shape": "chain", "edges": [leaf("sep_3x3")]})
    child = built({"shape": "replicate-concat", "edges": [leaf("sep_3x3"), leaf("sep_5x5"), leaf("sep_3x3")]})
    assert child.inherit(parent, torch.Generator())
    whole = parent.steps[[step.key for step in parent.plan].index(("cell 0.0", 0, 0, "main", "separable"))]
    keys = [step.key for step in child.plan]
    for place in range(3):
        branch = child.steps[keys.index(("cell 0.0", 0, place, "main", "separable"))]
        torch.testing.assert_close(branch.pointwise.weight, whole.pointwise.weight[3 * place : 3 * place + 3])


def test_branches_that_copy_a_layer_share_its_weight_unevenly():
    parent = built({"shape": "chain", "edges": [leaf("conv_1x1")]})
    child = built({"shape": "replicate-add", "edges": [leaf("conv_1x1")] * 3})
    assert child.inherit(parent, torch.Generator().manual_seed(0))
    weights = child.steps[[step.key for step in child.plan].index(("cell 0.0", 0, "sum"))].weights
    assert float(weights.detach().sum()) == pytest.approx(1.0)
    assert len(set(weights.tolist())) == 3


def test_graphs_tell_how_a_tree_splits_and_joins():
    space = aw.spaces.path_level(**REST)

    def key(shape, *ops):
        tree = {"shape": shape, "edges": [leaf(op) for op in ops]}
        return space.key(decided_as(space, {"tree": tree, **REST}))

    assert key("replicate-add", "sep_3x3", "identity") == key("replicate-add", "identity", "sep_3x3")
    assert key("split-concat", "sep_3x3", "identity") != key("split-concat", "identity", "sep_3x3")
    several = {key(shape, "conv_1x1", "sep_3x3") for shape in aw.spaces.tree_cells.SHAPES}
    assert len(several) == 4


def test_a_branch_that_is_only_near_takes_no_part_beside_one_that_is_equal():
    def edge(*ops):
        return {"op": "sep_3x3", "then": {"shape": "replicate-add", "edges": [leaf(op) for op in ops]}}

    parent = built({"shape": "chain", "edges": [edge("identity", "max_pool_3x3")]})
    near = [edge("identity", "max_pool_3x3"), edge("identity", "conv_1x1")]
    child = built({"shape": "replicate-add", "edges": near})
    assert child.inherit(parent, torch.Generator())
    assert child.steps[[step.key for step in child.plan].index(("cell 0.0", 0, "sum"))].weights.tolist() == [1.0, 0.0]
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(child(x), parent(x), rtol=0, atol=1e-12)
