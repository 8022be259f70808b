"""The vote of several proxies: Abdelfattah et al., 2021, section 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from archwright.core.errors import ArchwrightError


@dataclass(frozen=True)
class Vote:
    """Of two architectures the one is better that most proxies say is better.

    That is a relation and no number, so an architecture's score is the share of a fixed population that it is better
    than, a tie counting half.

    Attributes:
        of: the metrics of the proxies that vote; the paper's three.
        population: random architectures of the space to be compared with.
        seed: of the population, of its weights and of its batches.
    """

    of: tuple[str, ...] = ("synflow", "jacob_cov", "snip")
    population: int = 50
    seed: int = 0
    metric: ClassVar[str] = "vote"

    def share(self, own: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> float:
        """The share of `others` that `own` is better than; one of them loses where it has no score.

        Raises:
            ArchwrightError: `own` lacks a score.
        """
        absent = [metric for metric in self.of if metric not in own]
        if absent:
            raise ArchwrightError(f"vote asks {', '.join(self.of)}, and {absent[0]} can't be measured")
        points = 0.0
        for other in others:
            votes = sum(_sign(own[metric] - other.get(metric, -inf)) for metric in self.of)
            points += (1 + _sign(votes)) / 2
        return points / len(others)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
