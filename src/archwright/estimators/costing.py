"""What an architecture costs, known before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from archwright.core.architecture import Architecture
from archwright.core.signature import Signature
from archwright.objectives.costs import Cost, by_shapes
from archwright.spaces.space import Space
from archwright.training.seeding import seeded


def costs_of(space: Space, architecture: Architecture, signature: Signature, costs: Iterable[Cost]) -> dict[str, float]:
    """Those of `costs` that need no device, by metric, of the architecture's own network.

    Raises:
        Exception: what the network raises when it is built, or run on the CPU.
    """
    asked = [cost for cost in costs if not cost.needs_device]

    def measured(network: nn.Module) -> dict[str, float]:
        return {cost.metric: cost.measure(network, signature) for cost in asked}

    with seeded("sketch"):
        return by_shapes(lambda: space.build(architecture, signature), measured) if asked else {}
