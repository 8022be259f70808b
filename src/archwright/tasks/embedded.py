"""The data that needs no download: scikit-learn's handwritten digits."""

from __future__ import annotations

from functools import partial

import torch

from archwright.core.parts import part
from archwright.tasks.splitting import divide
from archwright.tasks.task import Hyperparameters, Split, Splits, Task


@part
def digits(seed: int = 0) -> Task:
    """1,797 handwritten digits (Alpaydin and Kaynak, 1998): grey 1 x 8 x 8 images, uint8 from 0 to 255, ten classes.

    They come with scikit-learn. Train, valid and test hold 60, 20 and 20 per cent, stratified by `seed`.
    """
    hyperparameters = Hyperparameters(batch_size=32, learning_rate=0.05, crop=1)
    return Task("digits", partial(_load, seed), hyperparameters, epochs=30)


def _load(seed: int) -> Splits:
    from sklearn.datasets import load_digits  # a second to import

    data = load_digits()
    images = (torch.from_numpy(data.images) * (255 / 16)).round().to(torch.uint8)  # given as 0 to 16
    whole = Split(images[:, None].contiguous(), torch.from_numpy(data.target).long())
    classes = tuple(str(name) for name in data.target_names)
    return divide(whole, classes, seed, source="digits", valid_share=0.2, test_share=0.2)
