"""DARTS-PT: Rethinking Architecture Selection in Differentiable NAS (Wang et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.core.protocols import GradientStrategy
from archwright.strategies.darts import DARTS

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Relaxation


@dataclass(frozen=True)
class DARTSPT:
    """Any gradient strategy, whose architecture is selected by what the score loses without each candidate.

    The selection follows the last epoch, and belongs to its cost: for every choice a pass over the validation split for
    each candidate, and `epochs` of tuning. The defaults are the paper's, the learning rate (a tenth of DARTS') is that
    of the authors' code.

    Attributes:
        of: the gradient strategy that searches.
        epochs: in which the weights are tuned after each decision.
        learning_rate: of the weights when tuning begins; it falls to 0.
    """

    of: GradientStrategy = DARTS()
    epochs: int = 5
    learning_rate: float = 0.0025

    def __post_init__(self) -> None:
        if not isinstance(self.of, GradientStrategy):
            kind = type(self.of).__name__
            raise ArchwrightError(f"DARTSPT follows a strategy that relaxes the space, such as DARTS, not {kind}")

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.perturbation import Perturbation

        relaxation: Relaxation = self.of.relax(network)
        relaxation.selection = Perturbation(self.epochs, self.learning_rate)
        return relaxation
