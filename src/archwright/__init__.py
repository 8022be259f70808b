"""Archwright: neural architecture search on PyTorch.

Search space x search strategy x performance estimation strategy, three independent parts that compose freely.
`import archwright` loads no torch; networks, data and training do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright import (
    benchmarks,
    curves,
    estimators,
    export,
    predictors,
    recipes,
    reports,
    spaces,
    strategies,
    supernets,
    tasks,
)
from archwright.compare import compare
from archwright.core.architecture import Architecture, BadArchitecture
from archwright.core.choices import BadSpace, Choice, Integer, Real, Repeat, Subset
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.lazy import lazy
from archwright.core.objective import BadObjective, Constraint, Objective, maximize, minimize
from archwright.core.protocols import Estimator, Strategy
from archwright.core.signature import Signature
from archwright.core.trial import Evaluation, Trial
from archwright.diagnosis import diagnose
from archwright.objectives.pareto import hypervolume
from archwright.runtime.inline import Inline
from archwright.runtime.processes import Processes
from archwright.runtime.simulated import Simulated
from archwright.search import Budget, Search, budget, search
from archwright.spaces.space import Space

if TYPE_CHECKING:
    from archwright.compare.comparison import Comparison
    from archwright.compare.terms import UnfairComparison
    from archwright.diagnosis.diagnosing import Candidate
    from archwright.diagnosis.result import Diagnosis
    from archwright.objectives.costs import Flops, Latency, Memory, Parameters
    from archwright.run import Run, load, record, resume
    from archwright.runtime.store import StoreError
    from archwright.terminal import progress
    from archwright.winner import Winner

__all__ = [
    "Architecture",
    "ArchwrightError",
    "BadArchitecture",
    "BadObjective",
    "BadSpace",
    "Budget",
    "Candidate",
    "Choice",
    "Comparison",
    "Constraint",
    "Diagnosis",
    "Estimator",
    "Evaluation",
    "Flops",
    "History",
    "Inline",
    "Integer",
    "Latency",
    "Memory",
    "Objective",
    "Parameters",
    "Processes",
    "Real",
    "Repeat",
    "Run",
    "Search",
    "Signature",
    "Simulated",
    "Space",
    "StoreError",
    "Strategy",
    "Subset",
    "Trial",
    "UnfairComparison",
    "Winner",
    "benchmarks",
    "budget",
    "compare",
    "curves",
    "diagnose",
    "estimators",
    "export",
    "hypervolume",
    "load",
    "maximize",
    "minimize",
    "predictors",
    "progress",
    "recipes",
    "record",
    "reports",
    "resume",
    "search",
    "spaces",
    "strategies",
    "supernets",
    "tasks",
]

__getattr__ = lazy(
    __name__,
    {
        "archwright.compare.comparison": ["Comparison"],
        "archwright.compare.terms": ["UnfairComparison"],
        "archwright.diagnosis.diagnosing": ["Candidate"],
        "archwright.diagnosis.result": ["Diagnosis"],
        "archwright.objectives.costs": ["Flops", "Latency", "Memory", "Parameters"],
        "archwright.terminal": ["progress"],
        "archwright.run": ["Run", "load", "record", "resume"],
        "archwright.winner": ["Winner"],
        "archwright.runtime.store": ["StoreError"],
    },
)
