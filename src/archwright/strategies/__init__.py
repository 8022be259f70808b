"""Box two: search strategies. One file, one paper; none ever sees a candidate network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.strategies.exhaustive import Exhaustive
    from archwright.strategies.local_search import LocalSearch
    from archwright.strategies.random_search import Random
    from archwright.strategies.regularized_evolution import RegularizedEvolution

__all__ = ["Exhaustive", "LocalSearch", "Random", "RegularizedEvolution"]

MODULES = {  # each strategy's file, loaded when it is first used
    "exhaustive": ["Exhaustive"],
    "local_search": ["LocalSearch"],
    "random_search": ["Random"],
    "regularized_evolution": ["RegularizedEvolution"],
}

__getattr__ = lazy(__name__, {f"archwright.strategies.{module}": names for module, names in MODULES.items()})
