"""What a zero-cost proxy is: a score that a network has before any training."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from archwright.estimators.proxies.probe import Probe


@runtime_checkable
class Proxy(Protocol):
    """A score of a fresh network; larger promises more.

    Attributes:
        metric: its name among an evaluation's metrics.
        batches: how many batches it looks at.
    """

    metric: ClassVar[str]
    batches: ClassVar[int]

    def measure(self, probe: Probe) -> float:
        """The score. It leaves the network as it was.

        Raises:
            ArchwrightError: the network lacks what the proxy looks at.
        """
        ...
