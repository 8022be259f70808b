"""BOHB, Bayesian optimisation and Hyperband: Falkner, Klein and Hutter, 2018; for networks: Zela et al., 2018."""

from __future__ import annotations

from dataclasses import dataclass, field

from archwright.core.protocols import Strategy
from archwright.strategies.hyperband import Hyperband
from archwright.strategies.kernel_density import KernelDensity


@dataclass(frozen=True)
class BOHB(Hyperband):
    """Hyperband, whose new architectures come from densities of the good and the bad (`KernelDensity`).

    Modelled is the highest fidelity of which there are as many successes as `enough` says, those of all brackets.
    With another sampler in `of` it is Hyperband round that.
    """

    of: Strategy = field(default_factory=KernelDensity)
