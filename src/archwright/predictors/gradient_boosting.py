"""Gradient boosting: LightGBM (Ke, Meng, Finley, Wang, Chen, Ma, Ye and Liu, 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.predictors.vectors import Encoding, Everything, rows
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class GradientBoosting:
    """LightGBM's trees, several boosters that see different shares of evaluations and columns.

    They read decisions, and what an architecture computes. What the boosters disagree about is the spread. LightGBM's
    own defaults are for tens of thousands of rows, so a leaf may be small here; and there are twice as many trees,
    which correct half as much. Needs the extra `lightgbm`.

    Attributes:
        members: boosters.
        trees: of each.
        rate: how much of its correction a tree makes.
        leaves: of a tree, at most.
        least: evaluations in a leaf, at least.
        share: of the evaluations and of the columns that a tree sees.
    """

    members: int = 5
    trees: int = 200
    rate: float = 0.05
    leaves: int = 31
    least: int = 5
    share: float = 0.8

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Boosters:
        """Boosts.

        Raises:
            ArchwrightError: LightGBM is missing.
        """
        try:
            import lightgbm
        except ImportError:
            raise ArchwrightError("GradientBoosting needs LightGBM: pip install 'archwright[lightgbm]'") from None
        encode = Everything(space, architectures)
        vectors = rows(encode, architectures)
        settings = {
            "objective": "regression",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": min(self.least, max(1, len(targets) // 4)),
            "bagging_fraction": self.share,
            "bagging_freq": 1,
            "feature_fraction": self.share,
            "num_threads": 1,  # and below: the same bits each time
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        boosters = tuple(
            lightgbm.train(
                {**settings, "seed": seed_for(seed, member) % 2**31},
                lightgbm.Dataset(vectors, np.asarray(targets, dtype=float), params={"verbose": -1}),
                self.trees,
            )
            for member in range(self.members)
        )
        return Boosters(encode, boosters)


@dataclass(frozen=True)
class Boosters:
    """LightGBM's boosters of one target."""

    encode: Encoding
    members: tuple[Any, ...]

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation of the boosters: (m,), (m,)."""
        if not architectures:
            return np.zeros(0), np.zeros(0)
        vectors = rows(self.encode, architectures)
        each = np.array([booster.predict(vectors, num_threads=1) for booster in self.members])
        return each.mean(axis=0), each.std(axis=0)
