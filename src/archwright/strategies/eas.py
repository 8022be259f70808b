"""EAS, efficient architecture search by network transformation: Cai, Chen, Zhang, Yu and Wang, 2018a."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.spaces.morphing import Morph
from archwright.strategies.episodes import Episodes

if TYPE_CHECKING:
    from archwright.strategies.models.actors import Actors

WIDENING = frozenset({"widen", "kernel"})
"""What the wider actor does; the deeper actor does all other kinds, and what spaces without morphisms have."""


@dataclass
class EAS(Episodes):
    """A wider and a deeper actor, which read the network by a bidirectional LSTM, grow one network in each episode.

    Both actors draw one morphism after the other, from a softmax over those that the space has. In the paper the wider
    one decides about all layers at once, and the deeper one in three steps (block, layer, kernel).

    Attributes:
        wider: morphisms of the wider actor to a network, 4.
        deeper: morphisms of the deeper actor after those, 5.
    """

    wider: int = 4
    deeper: int = 5

    def actors(self, space: SearchSpace) -> Actors:
        """Two, behind a bidirectional LSTM."""
        from archwright.strategies.models.actors import Actors, Sequential  # torch loads when it is needed

        return Actors(
            space, 2, Sequential, hidden=self.hidden, embedding=self.embedding, learning_rate=self.learning_rate
        )

    def plan(self) -> list[tuple[int, int]]:
        """First wider, then deeper."""
        return [(0, self.wider), (1, self.deeper)]

    def choices(self, actor: int, found: list[Morph]) -> list[Architecture]:
        """Those of the actor's kinds."""
        return [morph.architecture for morph in found if (morph.kind in WIDENING) == (actor == 0)]
