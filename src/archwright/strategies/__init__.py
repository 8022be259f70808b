"""Box two: search strategies. One file, one paper; none ever sees a candidate network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.strategies.arc_kernel import ArcKernel
    from archwright.strategies.bananas import BANANAS
    from archwright.strategies.cgp import CGP
    from archwright.strategies.evolution import Evolution as Evolution
    from archwright.strategies.exhaustive import Exhaustive
    from archwright.strategies.expected_hypervolume import ExpectedHypervolume
    from archwright.strategies.genetic_cnn import GeneticCNN
    from archwright.strategies.lemonade import LEMONADE
    from archwright.strategies.local_search import LocalSearch
    from archwright.strategies.nas_bowl import NASBOWL
    from archwright.strategies.nasbot import NASBOT
    from archwright.strategies.nsga2 import NSGA2
    from archwright.strategies.optuna_sampler import OptunaSampler
    from archwright.strategies.pnas import PNAS
    from archwright.strategies.ppo import PPO
    from archwright.strategies.q_learning import QLearning
    from archwright.strategies.random_search import Random
    from archwright.strategies.regularized_evolution import RegularizedEvolution
    from archwright.strategies.reinforce import Reinforce
    from archwright.strategies.smac import SMAC
    from archwright.strategies.tournament_evolution import TournamentEvolution
    from archwright.strategies.tpe import TPE
    from archwright.strategies.tree_search import TreeSearch

__all__ = [
    "BANANAS",
    "CGP",
    "LEMONADE",
    "NASBOT",
    "NASBOWL",
    "NSGA2",
    "PNAS",
    "PPO",
    "SMAC",
    "TPE",
    "ArcKernel",
    "Exhaustive",
    "ExpectedHypervolume",
    "GeneticCNN",
    "LocalSearch",
    "OptunaSampler",
    "QLearning",
    "Random",
    "RegularizedEvolution",
    "Reinforce",
    "TournamentEvolution",
    "TreeSearch",
]

MODULES = {  # each strategy's file, loaded when it is first used
    "arc_kernel": ["ArcKernel"],
    "bananas": ["BANANAS"],
    "cgp": ["CGP"],
    "evolution": ["Evolution"],  # composed of parts in Python, so none of those that the command line names
    "exhaustive": ["Exhaustive"],
    "expected_hypervolume": ["ExpectedHypervolume"],
    "genetic_cnn": ["GeneticCNN"],
    "lemonade": ["LEMONADE"],
    "local_search": ["LocalSearch"],
    "nas_bowl": ["NASBOWL"],
    "nasbot": ["NASBOT"],
    "nsga2": ["NSGA2"],
    "optuna_sampler": ["OptunaSampler"],
    "pnas": ["PNAS"],
    "ppo": ["PPO"],
    "q_learning": ["QLearning"],
    "random_search": ["Random"],
    "regularized_evolution": ["RegularizedEvolution"],
    "reinforce": ["Reinforce"],
    "smac": ["SMAC"],
    "tournament_evolution": ["TournamentEvolution"],
    "tpe": ["TPE"],
    "tree_search": ["TreeSearch"],
}

__getattr__ = lazy(__name__, {f"archwright.strategies.{module}": names for module, names in MODULES.items()})
