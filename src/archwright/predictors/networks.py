"""An ensemble of networks on path encodings: White, Neiswanger and Savani, 2021 (BANANAS), section 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.predictors.ensemble import Ensemble
from archwright.predictors.vectors import Encoding, encoding, rows
from archwright.spaces.space import Space

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Networks:
    """Feed-forward networks that read the paths through an architecture, or its decisions where there are none.

    Attributes:
        members, layers, width, epochs: of the ensemble; the paper's 5 networks of 10 layers of 20 units, 150 epochs.
    """

    members: int = 5
    layers: int = 10
    width: int = 20
    epochs: int = 150

    def fit(self, space: Space, architectures: Sequence[Architecture], targets: Array, seed: int = 0) -> PathNetworks:
        """Trains the networks."""
        encode = encoding(space, architectures)
        ensemble = Ensemble(self.members, self.layers, self.width, epochs=self.epochs)
        return PathNetworks(encode, ensemble.fit(rows(encode, architectures), np.asarray(targets), seed))


@dataclass(frozen=True)
class PathNetworks:
    """Networks that have learnt."""

    encode: Encoding
    ensemble: Ensemble

    def each(self, architectures: Sequence[Architecture]) -> Array:
        """Each network's prediction: (members, m)."""
        if not architectures:
            return np.zeros((self.ensemble.members, 0))
        return self.ensemble.predict(rows(self.encode, architectures))

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation of the networks: (m,), (m,)."""
        each = self.each(architectures)
        spread = each.std(axis=0, ddof=1) if len(each) > 1 else np.zeros(len(architectures))
        return each.mean(axis=0), spread
