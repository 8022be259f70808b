"""Box three: performance estimation. One file, one idea; they load torch when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.estimators.hypernetwork import Hypernetwork
    from archwright.estimators.training import Training
    from archwright.estimators.weight_sharing import WeightSharing

__all__ = ["Hypernetwork", "Training", "WeightSharing"]
__getattr__ = lazy(
    __name__,
    {
        "archwright.estimators.hypernetwork": ["Hypernetwork"],
        "archwright.estimators.training": ["Training"],
        "archwright.estimators.weight_sharing": ["WeightSharing"],
    },
)
