"""A fidelity that rises as the search goes on (Elsken, Metzen and Hutter, 2019, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.strategies.ladder import Ladder
from archwright.strategies.multi_fidelity import MultiFidelity, Promotion, Start


@dataclass(frozen=True)
class Rising(MultiFidelity):
    """All trials at the lowest fidelity at first, then at the next, at last at full fidelity.

    Ranks can change dramatically where a cheap evaluation is far from the full one (Zela et al., 2018); the survey's
    advice is to come nearer gradually. Each time the fidelity rises, the best so far are evaluated again, so that the
    sampler goes on from what it knows, in a currency that counts.

    `of` may be any strategy that proposes architectures. Of one that waits for all that it asked (NASH, EAS, PathLevel)
    random architectures take some turns as soon as there are several workers, and LocalSearch comes near random search.

    Attributes:
        evaluations: how many there are until full fidelity is reached, as many at each fidelity below; fewer than the
            budget has, or nothing is ever evaluated in full.
        carried: how many of the best are evaluated again at the next fidelity.
        enough: None is as many as are carried, or BOHB's rule if that asks for fewer or nothing is carried.
    """

    evaluations: int = 100
    carried: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.evaluations < 1 or self.carried < 0:
            raise ArchwrightError(
                f"Rising needs evaluations >= 1 and carried >= 0, not {self.evaluations} and {self.carried}"
            )

    def _enough(self, space: SearchSpace) -> int:
        enough = super()._enough(space)
        return min(self.carried, enough) if self.carried else enough

    def move(self, history: History, ladder: Ladder, fresh: bool) -> Start | Promotion:
        """One of the best below, until as many as are carried are there; then new ones."""
        levels = self.rungs.levels
        asked = len(ladder.promotions) + sum(map(len, ladder.starts.values()))
        rung = min(asked * (len(levels) - 1) // self.evaluations, len(levels) - 1)
        if rung:
            for position in islice(ladder.ranking(levels[rung - 1]), self.carried):
                if history.numbers[position] not in ladder.promotions:
                    return Promotion(position, levels[rung])
        return Start(levels[rung])
