"""What strategies ask of the one that they go round."""

from __future__ import annotations

from typing import Any

from archwright.core.errors import ArchwrightError
from archwright.core.protocols import GradientStrategy


def check_proposes(outer: Any, inside: Any) -> None:
    """Whether the strategy inside another one proposes architectures.

    Raises:
        ArchwrightError: it is a gradient strategy.
    """
    if isinstance(inside, GradientStrategy):
        raise ArchwrightError(
            f"{type(inside).__name__} proposes no architectures, it relaxes the space: inside {type(outer).__name__} a "
            "strategy is needed that proposes some, such as Random"
        )
