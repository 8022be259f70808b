"""A question to an estimator and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archwright.core.architecture import Architecture
from archwright.core.errors import ArchwrightError


@dataclass(frozen=True, slots=True)
class Trial:
    """A question: how good is this architecture?

    Attributes:
        fidelity: share of the full resource, in (0, 1]; the estimator says of what.
        seed: seeds everything random in the answer (initial weights, batch order, augmentation).
        parent: position in the history of the evaluation whose weights to inherit.
    """

    architecture: Architecture
    fidelity: float = 1.0
    seed: int = 0
    parent: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.fidelity <= 1.0:
            raise ArchwrightError(f"a trial's fidelity is in (0, 1], not {self.fidelity}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An answer.

    Attributes:
        metrics: by name; validation metrics only, never a test metric.
        curve: validation metric after each unit of resource (for `Training`: each epoch).
        cost: seconds that the answer took.
        failure: why there is no answer, in one line; None if there is one.
        rejected: the failure is a constraint that excluded the architecture before it cost anything.
        reused: position in the history of the evaluation whose answer this one repeats, at no cost.
    """

    trial: Trial
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    cost: float = 0.0
    failure: str | None = None
    rejected: bool = False
    reused: int | None = None
