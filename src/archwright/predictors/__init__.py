"""Models that predict a metric of an architecture from evaluated ones. One file, one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.predictors.predictor import Fitted, Predictor

__all__ = ["Fitted", "Predictor"]
__getattr__ = lazy(__name__, {"archwright.predictors.predictor": ["Fitted", "Predictor"]})

PREDICTORS: tuple[str, ...] = ()
"""The ones that the command line and the manifests name."""
