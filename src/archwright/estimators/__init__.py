"""Box three: performance estimation. One file, one idea; they load torch when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.estimators.training import Training

__all__ = ["Training"]
__getattr__ = lazy(__name__, {"archwright.estimators.training": ["Training"]})
