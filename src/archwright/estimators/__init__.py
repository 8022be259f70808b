"""Box three: performance estimation. One file, one idea; they load torch when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.estimators.cached import Cached
    from archwright.estimators.early_stopping import EarlyStopping
    from archwright.estimators.hypernetwork import Hypernetwork
    from archwright.estimators.inherited import Inherited
    from archwright.estimators.mean import Mean
    from archwright.estimators.predicted import Predicted
    from archwright.estimators.staged import Staged
    from archwright.estimators.training import Training
    from archwright.estimators.weight_sharing import WeightSharing
    from archwright.estimators.zero_cost import ZeroCost

__all__ = [
    "Cached",
    "EarlyStopping",
    "Hypernetwork",
    "Inherited",
    "Mean",
    "Predicted",
    "Staged",
    "Training",
    "WeightSharing",
    "ZeroCost",
]
__getattr__ = lazy(
    __name__,
    {
        "archwright.estimators.cached": ["Cached"],
        "archwright.estimators.early_stopping": ["EarlyStopping"],
        "archwright.estimators.hypernetwork": ["Hypernetwork"],
        "archwright.estimators.inherited": ["Inherited"],
        "archwright.estimators.mean": ["Mean"],
        "archwright.estimators.predicted": ["Predicted"],
        "archwright.estimators.staged": ["Staged"],
        "archwright.estimators.training": ["Training"],
        "archwright.estimators.weight_sharing": ["WeightSharing"],
        "archwright.estimators.zero_cost": ["ZeroCost"],
    },
)
