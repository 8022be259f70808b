"""Box two: search strategies. One file, one paper; none ever sees a network."""

from archwright.strategies.exhaustive import Exhaustive
from archwright.strategies.local_search import LocalSearch
from archwright.strategies.random_search import Random
from archwright.strategies.regularized_evolution import RegularizedEvolution

__all__ = ["Exhaustive", "LocalSearch", "Random", "RegularizedEvolution"]
