"""Extrapolation of learning curves. One file, one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.curves.extrapolator import Extrapolator, Known, Prediction
    from archwright.curves.last_value import LastValue
    from archwright.curves.latent_curves import LatentCurves
    from archwright.curves.parametric_mixture import ParametricMixture
    from archwright.curves.power_law import PowerLaw
    from archwright.curves.support_vectors import SupportVectors

__all__ = [
    "Extrapolator",
    "Known",
    "LastValue",
    "LatentCurves",
    "ParametricMixture",
    "PowerLaw",
    "Prediction",
    "SupportVectors",
]
EXTRAPOLATORS = ("LastValue", "LatentCurves", "ParametricMixture", "PowerLaw", "SupportVectors")
"""The models, by which a manifest names them."""

__getattr__ = lazy(
    __name__,
    {
        "archwright.curves.latent_curves": ["LatentCurves"],
        "archwright.curves.extrapolator": ["Extrapolator", "Known", "Prediction"],
        "archwright.curves.last_value": ["LastValue"],
        "archwright.curves.parametric_mixture": ["ParametricMixture"],
        "archwright.curves.power_law": ["PowerLaw"],
        "archwright.curves.support_vectors": ["SupportVectors"],
    },
)
