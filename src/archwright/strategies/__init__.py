"""Box two: search strategies. One file, one paper; none ever sees a candidate network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.core.lazy import lazy

if TYPE_CHECKING:
    from archwright.strategies.arc_kernel import ArcKernel
    from archwright.strategies.asha import ASHA
    from archwright.strategies.auto_keras import AutoKeras
    from archwright.strategies.bananas import BANANAS
    from archwright.strategies.bohb import BOHB
    from archwright.strategies.cgp import CGP
    from archwright.strategies.darts import DARTS, UnrolledDARTS
    from archwright.strategies.darts_pt import DARTSPT
    from archwright.strategies.das import DAS
    from archwright.strategies.dehb import DEHB
    from archwright.strategies.dr_nas import DrNAS
    from archwright.strategies.eas import EAS
    from archwright.strategies.enas import ENAS
    from archwright.strategies.evolution import Evolution as Evolution
    from archwright.strategies.exhaustive import Exhaustive
    from archwright.strategies.expected_cost import ExpectedCost as ExpectedCost
    from archwright.strategies.expected_hypervolume import ExpectedHypervolume
    from archwright.strategies.freeze_thaw import FreezeThaw
    from archwright.strategies.gdas import GDAS
    from archwright.strategies.genetic_cnn import GeneticCNN
    from archwright.strategies.hyperband import Hyperband
    from archwright.strategies.kernel_density import KernelDensity
    from archwright.strategies.lemonade import LEMONADE
    from archwright.strategies.local_search import LocalSearch
    from archwright.strategies.mask_connect import MaskConnect
    from archwright.strategies.nas_bowl import NASBOWL
    from archwright.strategies.nasbot import NASBOT
    from archwright.strategies.nash import NASH
    from archwright.strategies.nsga2 import NSGA2
    from archwright.strategies.optuna_sampler import OptunaSampler
    from archwright.strategies.path_level import PathLevel
    from archwright.strategies.pc_darts import PCDARTS
    from archwright.strategies.pnas import PNAS
    from archwright.strategies.ppo import PPO
    from archwright.strategies.proxyless_nas import ProxylessNAS
    from archwright.strategies.q_learning import QLearning
    from archwright.strategies.random_search import Random
    from archwright.strategies.regularized_evolution import RegularizedEvolution
    from archwright.strategies.reinforce import Reinforce
    from archwright.strategies.rising import Rising
    from archwright.strategies.robust_darts import RobustDARTS
    from archwright.strategies.smac import SMAC
    from archwright.strategies.snas import SNAS
    from archwright.strategies.successive_halving import SuccessiveHalving
    from archwright.strategies.tournament_evolution import TournamentEvolution
    from archwright.strategies.tpe import TPE
    from archwright.strategies.tree_search import TreeSearch
    from archwright.strategies.warm import Warm

__all__ = [
    "ASHA",
    "BANANAS",
    "BOHB",
    "CGP",
    "DARTS",
    "DARTSPT",
    "DAS",
    "DEHB",
    "EAS",
    "ENAS",
    "GDAS",
    "LEMONADE",
    "NASBOT",
    "NASBOWL",
    "NASH",
    "NSGA2",
    "PCDARTS",
    "PNAS",
    "PPO",
    "SMAC",
    "SNAS",
    "TPE",
    "ArcKernel",
    "AutoKeras",
    "DrNAS",
    "Exhaustive",
    "ExpectedHypervolume",
    "FreezeThaw",
    "GeneticCNN",
    "Hyperband",
    "KernelDensity",
    "LocalSearch",
    "MaskConnect",
    "OptunaSampler",
    "PathLevel",
    "ProxylessNAS",
    "QLearning",
    "Random",
    "RegularizedEvolution",
    "Reinforce",
    "Rising",
    "RobustDARTS",
    "SuccessiveHalving",
    "TournamentEvolution",
    "TreeSearch",
    "UnrolledDARTS",
    "Warm",
]

MODULES = {  # each strategy's file, loaded when it is first used
    "arc_kernel": ["ArcKernel"],
    "asha": ["ASHA"],
    "auto_keras": ["AutoKeras"],
    "bananas": ["BANANAS"],
    "bohb": ["BOHB"],
    "cgp": ["CGP"],
    "darts": ["DARTS", "UnrolledDARTS"],
    "darts_pt": ["DARTSPT"],
    "das": ["DAS"],
    "dehb": ["DEHB"],
    "dr_nas": ["DrNAS"],
    "eas": ["EAS"],
    "enas": ["ENAS"],
    "evolution": ["Evolution"],  # composed of parts in Python, so none of those that the command line names
    "exhaustive": ["Exhaustive"],
    "expected_cost": ["ExpectedCost"],  # of which gradient strategies hold one
    "expected_hypervolume": ["ExpectedHypervolume"],
    "freeze_thaw": ["FreezeThaw"],
    "gdas": ["GDAS"],
    "genetic_cnn": ["GeneticCNN"],
    "hyperband": ["Hyperband"],
    "kernel_density": ["KernelDensity"],
    "lemonade": ["LEMONADE"],
    "local_search": ["LocalSearch"],
    "mask_connect": ["MaskConnect"],
    "nas_bowl": ["NASBOWL"],
    "nash": ["NASH"],
    "nasbot": ["NASBOT"],
    "nsga2": ["NSGA2"],
    "optuna_sampler": ["OptunaSampler"],
    "path_level": ["PathLevel"],
    "pc_darts": ["PCDARTS"],
    "pnas": ["PNAS"],
    "ppo": ["PPO"],
    "proxyless_nas": ["ProxylessNAS"],
    "q_learning": ["QLearning"],
    "random_search": ["Random"],
    "regularized_evolution": ["RegularizedEvolution"],
    "reinforce": ["Reinforce"],
    "rising": ["Rising"],
    "robust_darts": ["RobustDARTS"],
    "smac": ["SMAC"],
    "snas": ["SNAS"],
    "successive_halving": ["SuccessiveHalving"],
    "tournament_evolution": ["TournamentEvolution"],
    "tpe": ["TPE"],
    "tree_search": ["TreeSearch"],
    "warm": ["Warm"],
}

__getattr__ = lazy(__name__, {f"archwright.strategies.{module}": names for module, names in MODULES.items()})
