"""The parts that `Evolution` is composed of: who is selected, how a child varies, who survives. All are values.

    Evolution(survive=survive.Youngest(100), select=select.Tournament(25), vary=vary.Mutate(), start=100)

is the regularised evolution of Real et al. (2019). A function of the same arguments is a part too.
"""

from __future__ import annotations

from dataclasses import is_dataclass


def parts() -> list[type]:
    """All of them, by which a stored run's composition is made again."""
    from archwright.strategies.evolving import select, survive, vary

    found = [part for module in (select, survive, vary) for part in vars(module).values() if is_dataclass(part)]
    return [part for part in dict.fromkeys(found) if isinstance(part, type) and part.__module__.startswith(__name__)]
