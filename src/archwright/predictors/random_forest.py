"""A random forest that knows how sure it is: Hutter, Hoos and Leyton-Brown, 2011, section 4.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from archwright.core.architecture import Architecture
from archwright.predictors.predictor import least_std
from archwright.predictors.vectors import Encoding, Everything, rows
from archwright.spaces.encodings import OneHot
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class RandomForest:
    """Regression trees, each on a bootstrap of the evaluations.

    Attributes:
        trees: SMAC has 10.
        columns: share of the columns that each split looks at; SMAC's 5/6.
        split: a node of fewer evaluations is a leaf; SMAC has 10.
        graphs: read what an architecture computes beside its decisions; SMAC reads decisions.
    """

    trees: int = 100
    columns: float = 5 / 6
    split: int = 4
    graphs: bool = True

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> Forest:
        """Grows the trees."""
        encode = Everything(space, architectures) if self.graphs else OneHot(space)
        forest = RandomForestRegressor(
            self.trees, max_features=self.columns, min_samples_split=self.split, random_state=seed % 2**32
        )
        forest.fit(rows(encode, architectures).astype(np.float32), targets)
        return Forest(encode, tuple(tree.tree_ for tree in forest.estimators_), least_std(targets))


@dataclass(frozen=True)
class Forest:
    """Predicts mean and deviation: the trees differ, and so do the evaluations within a leaf.

    Attributes:
        trees: scikit-learn's own, in compiled form.
        least: no deviation is smaller.
    """

    encode: Encoding
    trees: tuple[Any, ...]
    least: float

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation for each: (m,), (m,)."""
        vectors = rows(self.encode, architectures).astype(np.float32)
        leaves = [tree.apply(vectors) for tree in self.trees]
        means = np.array([tree.value[leaf, 0, 0] for tree, leaf in zip(self.trees, leaves, strict=True)])
        within = np.array([tree.impurity[leaf] for tree, leaf in zip(self.trees, leaves, strict=True)])
        variance = within.mean(axis=0) + means.var(axis=0)  # the law of total variance
        return means.mean(axis=0), np.sqrt(np.maximum(variance, self.least**2))
