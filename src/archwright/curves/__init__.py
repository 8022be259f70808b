"""Extrapolation of learning curves. One file, one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.curves.extrapolator import Extrapolator, Known, Prediction

__all__ = ["Extrapolator", "Known", "Prediction"]
__getattr__ = lazy(__name__, {"archwright.curves.extrapolator": ["Extrapolator", "Known", "Prediction"]})

EXTRAPOLATORS: tuple[str, ...] = ()
"""The ones that the command line and the manifests name."""
