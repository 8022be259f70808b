"""Given architectures, one after the other: no search, but recorded, resumed and run in parallel like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True)
class Listed:
    """Asks about the architectures in their order: about all at the first fidelity, then about all at the next.

    Attributes:
        architectures: what is asked about.
        fidelities: in the order in which they are asked; ascending ones let a training continue from the one before.
        seed: of the trials.
    """

    ends: ClassVar[bool] = True

    architectures: tuple[Architecture, ...]
    fidelities: tuple[float, ...] = (1.0,)
    seed: int = 0

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial | None:
        """The next one; while its training at the fidelity before is still under way, none."""
        if history.asked >= len(self.architectures) * len(self.fidelities):
            return None
        level, place = divmod(history.asked, len(self.architectures))
        architecture = self.architectures[place]
        if any(trial.architecture == architecture for trial in history.pending.values()):
            return None
        return Trial(architecture, self.fidelities[level], self.seed)
