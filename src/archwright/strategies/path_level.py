"""Path-level network transformation: Cai, Yang, Zhang, Han and Yu, 2018b."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.spaces.morphing import Morph
from archwright.strategies.episodes import Episodes

if TYPE_CHECKING:
    from archwright.strategies.models.actors import Actors


@dataclass
class PathLevel(Episodes):
    """An actor that reads the network by a bidirectional tree LSTM turns layers into branches, in each episode.

    The tree is that of the decisions: each hangs on the one that opened its branch. The actor draws one morphism after
    the other from a softmax over those that the space has. In the paper it decides in steps: whether a node branches,
    how, and which layer a leaf becomes.

    Attributes:
        morphisms: to a network; 8, which is ours.
    """

    morphisms: int = 8

    def actors(self, space: SearchSpace) -> Actors:
        """One, behind a tree LSTM."""
        from archwright.strategies.models.actors import Actors, Tree  # torch loads when it is needed

        return Actors(space, 1, Tree, hidden=self.hidden, embedding=self.embedding, learning_rate=self.learning_rate)

    def plan(self) -> list[tuple[int, int]]:
        """All by the one actor."""
        return [(0, self.morphisms)]

    def choices(self, actor: int, found: list[Morph]) -> list[Architecture]:
        """All."""
        return [morph.architecture for morph in found]
