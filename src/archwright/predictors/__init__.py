"""Models that predict a metric of an architecture from evaluated ones. One file, one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.predictors.calibration import Calibrated
    from archwright.predictors.gaussian import Gaussian
    from archwright.predictors.gradient_boosting import GradientBoosting
    from archwright.predictors.graph_network import GraphNetwork
    from archwright.predictors.networks import Networks
    from archwright.predictors.predictor import Fitted, Predictor
    from archwright.predictors.random_forest import RandomForest
    from archwright.predictors.validation import Scores, cross_validated
    from archwright.predictors.warping import Warped

__all__ = [
    "Calibrated",
    "Fitted",
    "Gaussian",
    "GradientBoosting",
    "GraphNetwork",
    "Networks",
    "Predictor",
    "RandomForest",
    "Scores",
    "Warped",
    "cross_validated",
]
PREDICTORS = ("Calibrated", "Gaussian", "GradientBoosting", "GraphNetwork", "Networks", "RandomForest", "Warped")
"""The models, by which a manifest names them."""

__getattr__ = lazy(
    __name__,
    {
        "archwright.predictors.calibration": ["Calibrated"],
        "archwright.predictors.gaussian": ["Gaussian"],
        "archwright.predictors.gradient_boosting": ["GradientBoosting"],
        "archwright.predictors.graph_network": ["GraphNetwork"],
        "archwright.predictors.networks": ["Networks"],
        "archwright.predictors.predictor": ["Fitted", "Predictor"],
        "archwright.predictors.random_forest": ["RandomForest"],
        "archwright.predictors.validation": ["Scores", "cross_validated"],
        "archwright.predictors.warping": ["Warped"],
    },
)
