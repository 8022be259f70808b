"""Images lie in channels-last, unless the device gets a gradient wrong there."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

import archwright as aw
from archwright.training import layout
from archwright.training.loop import Fit

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _forgotten():
    layout.fastest_layout.cache_clear()
    yield
    layout.fastest_layout.cache_clear()


def is_last(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last)


def test_convolutions_and_images_lie_in_channels_last():
    network = layout.laid_out(nn.Conv2d(3, 4, 3), CPU)
    assert is_last(network.weight)
    images, numbers = torch.randn(2, 3, 5, 5), torch.randn(2, 3)
    assert is_last(layout.images_laid_out(images))
    assert torch.equal(layout.images_laid_out(images), images)
    assert layout.images_laid_out(numbers) is numbers


def test_a_wrong_gradient_in_channels_last_is_noticed(monkeypatch):
    """As PyTorch's GPU kernel was: each pixel's gradient that of its neighbour (pytorch/pytorch#188344)."""
    right = functional.avg_pool2d

    class Shifted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            return slope.roll((1, 1), (2, 3))

    def avg_pool2d(x, *settings, **more):
        return right(Shifted.apply(x) if is_last(x) and not x.is_contiguous() else x, *settings, **more)

    monkeypatch.setattr(functional, "avg_pool2d", avg_pool2d)
    assert layout.fastest_layout(CPU) is torch.contiguous_format
    network = layout.laid_out(nn.Conv2d(3, 4, 3), CPU)
    assert network.weight.is_contiguous()
    assert layout.images_laid_out(torch.randn(2, 3, 5, 5)).is_contiguous()


def test_it_is_tried_even_where_no_gradients_are_kept():
    with torch.inference_mode():
        assert layout.fastest_layout(CPU) is torch.channels_last


def has_standard_strides(tensor):
    return tensor.stride() == torch.empty(tensor.shape).stride()


def test_images_of_one_channel_have_standard_strides_where_that_is_the_layout(monkeypatch):
    monkeypatch.setattr(layout, "fastest_layout", lambda device: torch.contiguous_format)
    images = torch.randn(4, 8, 6, 1).permute(0, 3, 1, 2)  # contiguous, by torch's word, in either layout
    laid = layout.images_laid_out(images)
    assert has_standard_strides(laid)
    assert torch.equal(laid, images)
    assert laid.data_ptr() == images.data_ptr()


def test_nothing_is_channels_last_in_a_training_on_cropped_grey_images_where_that_is_no_layout(monkeypatch):
    monkeypatch.setattr(layout, "fastest_layout", lambda device: torch.contiguous_format)
    task, space = aw.tasks.digits(), aw.spaces.nasbench201(cells=1, channels=4)
    pooling = aw.Architecture.from_json({f"edges[{number}]": 4 for number in range(6)})
    network, seen = space.build(pooling, task.signature), []
    for module in network.modules():
        if isinstance(module, nn.AvgPool2d):
            module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    given = replace(task.hyperparameters, crop=1)
    fit = Fit(network, task, task.train, given, 1, 0, CPU)
    inputs, targets = next(fit.batches_of(task.train, torch.Generator().manual_seed(0)))
    fit.learn(inputs, targets)
    assert len(seen) > 6  # once for each edge of a cell, and in the residual block
    assert all(has_standard_strides(tensor) for tensor in (inputs, *seen, *network.parameters()))
