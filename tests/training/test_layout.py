"""Images lie in channels-last, unless the device gets a gradient wrong there."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from archwright.training import layout

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
