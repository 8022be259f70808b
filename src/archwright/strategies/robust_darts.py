"""RobustDARTS: Understanding and Robustifying Differentiable Architecture Search (Zela et al., 2020)."""

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
class RobustDARTS:
    """Any gradient strategy, ended before the validation loss becomes sharp: DARTS-ES in the paper (section 4).

    Sharp is a dominant eigenvalue of the Hessian that has risen by `factor`; what is returned is the architecture of
    before the rise. The defaults are those of the authors' code, for 50 epochs.

    The paper's other remedy, R-DARTS(L2), needs no strategy: it is four searches that differ in the weight decay of the
    weights, 3e-4, 9e-4, 27e-4 and 81e-4, which is one of the estimator's hyperparameters; each result is trained, and
    the best on the validation split is kept.

    Attributes:
        of: the gradient strategy that searches.
        window: epochs over which eigenvalues are averaged.
        delta: epochs between the two averages that are compared.
        factor: the rise that is too much.
        begin: the first epoch, counted from 0, whose architecture may be returned.
    """

    of: GradientStrategy = DARTS()
    window: int = 5
    delta: int = 4
    factor: float = 1.3
    begin: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.of, GradientStrategy):
            kind = type(self.of).__name__
            raise ArchwrightError(f"RobustDARTS ends a strategy that relaxes the space, such as DARTS, not {kind}")

    def relax(self, network: OpenNetwork) -> Relaxation:
        """The distribution over the network's choices, and how it learns."""
        from archwright.supernets.curvature import EigenvalueStop

        relaxation: Relaxation = self.of.relax(network)
        relaxation.stop = EigenvalueStop(self.window, self.delta, self.factor, self.begin)
        return relaxation
