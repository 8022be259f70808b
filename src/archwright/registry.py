"""Every part by the name that the command line and the manifests use: the Python name in kebab case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archwright.core.errors import ArchwrightError, one_of
from archwright.core.parts import kebab, rebuildable, remake


def parts(kind: str) -> Mapping[str, Callable[..., Any]]:
    """The library's parts of a kind, such as spaces, strategies, estimators or recipes.

    Raises:
        ArchwrightError: there is no such kind.
    """
    makers = {
        "spaces": _spaces,
        "strategies": _strategies,
        "estimators": _estimators,
        "tasks": _tasks,
        "costs": _costs,
        "samplings": _samplings,
        "hypernetworks": _hypernetworks,
        "predictors": _predictors,
        "extrapolators": _extrapolators,
        "proxies": _proxies,
        "benchmarks": _benchmarks,
        "recipes": _recipes,
    }
    if kind not in makers:
        raise ArchwrightError(one_of("kind of part", kind, makers))
    return {kebab(part.__name__): part for part in makers[kind]()}


def find(kind: str, name: str) -> Callable[..., Any]:
    """The part of that name, hyphens or not; a name that does not exist lists the near ones.

    Raises:
        ArchwrightError: there is none.
    """
    known = parts(kind)
    if kebab(name) in known:
        return known[kebab(name)]
    joined = {other.replace("-", ""): part for other, part in known.items()}  # pc-darts for PCDARTS
    if kebab(name).replace("-", "") not in joined:
        raise ArchwrightError(one_of(_singular(kind), name, known))
    return joined[kebab(name).replace("-", "")]


def makes(kind: str, description: Any) -> bool:
    """Whether `rebuild` can make a part again: nothing in it is the user's own."""
    return rebuildable(description, {**_nested(), **parts(kind)})


def rebuild(kind: str, description: Any) -> Any:
    """Makes a part again from its description in a manifest; only the library's own, by name: data is never code.

    Raises:
        ArchwrightError: a part of the user's own, which the user has to give again.
    """
    if not rebuildable(description):
        raise ArchwrightError(f"the run's {_singular(kind)} is, or holds, a part of your own: give it again")
    return remake(description, {**_nested(), **parts(kind)})


def _singular(kind: str) -> str:
    return {"strategies": "strategy", "proxies": "proxy"}.get(kind, kind.removesuffix("s"))


def _nested() -> dict[str, Callable[..., Any]]:
    """What other parts take as arguments."""
    from archwright.benchmarks import Tabular, load
    from archwright.core.architecture import Architecture
    from archwright.spaces.ops import library_op
    from archwright.strategies import Evolution, ExpectedCost, evolving
    from archwright.strategies.listed import Listed
    from archwright.tasks import Hyperparameters

    kinds = (
        "tasks",
        "costs",
        "samplings",
        "hypernetworks",
        "predictors",
        "extrapolators",
        "proxies",
        "estimators",
        "strategies",
    )
    tables: dict[str, Callable[..., Any]] = {**parts("benchmarks"), "load": load, "tabular": Tabular}
    evolution = {kebab(part.__name__): part for part in (Evolution, ExpectedCost, *evolving.parts())}
    others: dict[str, Callable[..., Any]] = {
        "architecture": Architecture,
        "hyperparameters": Hyperparameters,
        "listed": Listed,
        "op": library_op,
    }
    return {
        **{name: maker for kind in kinds for name, maker in parts(kind).items()},
        **tables,
        **evolution,
        **others,
    }


def _spaces() -> list[Callable[..., Any]]:
    from archwright import spaces

    return [getattr(spaces, name) for name in spaces.SPACES]


def _strategies() -> list[Callable[..., Any]]:
    from archwright import strategies

    return [getattr(strategies, name) for name in strategies.__all__]


def _estimators() -> list[Callable[..., Any]]:
    from archwright import estimators

    return [getattr(estimators, name) for name in estimators.__all__]


def _tasks() -> list[Callable[..., Any]]:
    from archwright import tasks

    return [getattr(tasks, name) for name in tasks.__all__ if name[0].islower()]


def _costs() -> list[Callable[..., Any]]:
    from archwright.objectives.costs import Flops, Latency, Memory, Parameters

    return [Parameters, Flops, Memory, Latency]


def _samplings() -> list[Callable[..., Any]]:
    from archwright.supernets import sampling

    return [getattr(sampling, name) for name in sampling.__all__ if name != "Sampling"]


def _hypernetworks() -> list[Callable[..., Any]]:
    from archwright.supernets.hypernetworks import GraphHypernetwork, Smash

    return [GraphHypernetwork, Smash]


def _predictors() -> list[Callable[..., Any]]:
    from archwright import predictors

    return [getattr(predictors, name) for name in predictors.PREDICTORS]


def _extrapolators() -> list[Callable[..., Any]]:
    from archwright import curves

    return [getattr(curves, name) for name in curves.EXTRAPOLATORS]


def _proxies() -> list[Callable[..., Any]]:
    from archwright.estimators.proxies import PROXIES, Vote

    return [*PROXIES.values(), Vote]


def _benchmarks() -> list[Callable[..., Any]]:
    from archwright import benchmarks

    return [getattr(benchmarks, name) for name in benchmarks.BENCHMARKS]


def _recipes() -> list[Callable[..., Any]]:
    from archwright import recipes

    return [getattr(recipes, name) for name in recipes.RECIPES]
