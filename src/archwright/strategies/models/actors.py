"""The actors of Cai et al. (2018a, 2018b): they read a network, and draw one of the changes that it could undergo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archwright.core.architecture import Architecture
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.predictors.threads import one_thread
from archwright.strategies.decisions import decisions
from archwright.strategies.models.rows import option_rows

SPREAD = 0.08
"""Initial weights are uniform in [-SPREAD, SPREAD], as the controller's."""


class View(NamedTuple):
    """A network and its possible changes, as numbers.

    Attributes:
        options: the option taken at each decision, as a row of the embedding.
        openers: for each decision, the one that opened its branch; -1 for none.
        places: for each change, the decision at which it begins.
        news: for each change, what is decided there then, as a row of the embedding.
    """

    options: list[int]
    openers: list[int]
    places: list[int]
    news: list[int]


class Action(NamedTuple):
    """A change that was drawn: by which actor, among what, and which."""

    actor: int
    view: View
    taken: int


class Actors(nn.Module):
    """An encoder of networks and several actors: a softmax over changes each.

    An actor sees of a change the encoder's output at the decision where it begins, and what is decided there then.
    Numbers are float64 and live on the CPU, so that the same history gives the same bits.

    Args:
        actors: how many.
        encoder: makes the encoder from the lengths of its inputs and of its outputs; see `Sequential` and `Tree`.
    """

    def __init__(
        self,
        space: SearchSpace,
        actors: int,
        encoder: Callable[[int, int], nn.Module],
        *,
        hidden: int,
        embedding: int,
        learning_rate: float,
    ) -> None:
        super().__init__()
        self._row, rows = option_rows(space)
        with torch.random.fork_rng(devices=[]):  # modules draw initial weights from the global generator
            self.options = nn.Embedding(max(rows, 1), embedding)
            self.encoder = encoder(embedding, hidden)
            self.heads = nn.ModuleList(
                nn.Sequential(nn.Linear(2 * hidden + embedding, hidden), nn.Tanh(), nn.Linear(hidden, 1))
                for _ in range(actors)
            )
        self.double()
        generator = torch.Generator().manual_seed(seed_for("actors", hidden, embedding))
        for weights in self.parameters():
            nn.init.uniform_(weights, -SPREAD, SPREAD, generator=generator)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate, foreach=False)

    def view(self, space: SearchSpace, architecture: Architecture, changed: Sequence[Architecture]) -> View:
        """What the actors see."""
        taken = decisions(space, architecture)
        index = {decision.name: place for place, decision in enumerate(taken)}
        places, news = [], []
        for child in changed:
            name, row = self._difference(space, architecture, child)
            places.append(index.get(name, len(taken) - 1))
            news.append(row)
        options = [self._row[decision.name] + decision.option for decision in taken]
        return View(options, openers(list(index)), places, news)

    def _difference(self, space: SearchSpace, architecture: Architecture, child: Architecture) -> tuple[str, int]:
        """The first decision in which a child differs, other than a length, and the option that it takes."""
        known = architecture.as_dict()
        found = decisions(space, child)
        new = [one for one, (name, value) in zip(found, child, strict=True) if known.get(name) != value]
        one = next((one for one in new if not one.name.endswith(".times")), (new or found)[0])
        return one.name, self._row[one.name] + one.option

    def __call__(self, actor: int, view: View) -> Tensor:
        """As `forward`, typed."""
        return super().__call__(actor, view)  # type: ignore[no-any-return]

    def forward(self, actor: int, view: View) -> Tensor:
        """Log-probability of each change: (changes,)."""
        read = self.encoder(self.options(torch.tensor(view.options)), view.openers)
        seen = torch.cat([read[view.places], self.options(torch.tensor(view.news))], dim=1)
        scores: Tensor = self.heads[actor](seen)[:, 0]
        return scores.log_softmax(0)

    def reinforce(self, paths: Sequence[tuple[Sequence[Action], float]]) -> None:
        """One step of Adam up the mean of advantage x log P(path); of each path its actions, and its advantage."""
        with one_thread():
            self.optimizer.zero_grad()
            for actions, advantage in paths:
                for action in actions:
                    log = self(action.actor, action.view)[action.taken]
                    (-advantage / len(paths) * log).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()


class Sequential(nn.Module):
    """A bidirectional LSTM along the decisions (Cai et al., 2018a): (n, inputs) -> (n, 2 * hidden)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, bidirectional=True)

    def forward(self, inputs: Tensor, openers: Sequence[int]) -> Tensor:
        """The states at each decision."""
        states: Tensor = self.lstm(inputs)[0]
        return states


class Tree(nn.Module):
    """A bidirectional tree LSTM along branches of decisions (Cai et al., 2018b): (n, inputs) -> (n, 2 * hidden).

    Upwards a decision sums the states of those that it opens (child-sum: Tai, Socher and Manning, 2015, equations 2 to
    8); downwards each reads the state of the one that opened it, and its own from below.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Linear(inputs + hidden, 3 * hidden)
        self.forget = nn.Linear(inputs + hidden, hidden)
        self.down = nn.LSTMCell(hidden, hidden)

    def forward(self, inputs: Tensor, openers: Sequence[int]) -> Tensor:
        """The states from below and from above at each decision."""
        nothing = inputs.new_zeros(self.hidden)
        inside: list[list[int]] = [[] for _ in openers]
        for index, opener in enumerate(openers):
            if opener >= 0:
                inside[opener].append(index)
        up: dict[int, tuple[Tensor, Tensor]] = {}
        for index in reversed(range(len(openers))):  # a decision comes after the one that opened it
            below = [up[child] for child in inside[index]]
            state = sum((state for state, _ in below), nothing)
            write, read, new = self.gates(torch.cat([inputs[index], state])).chunk(3)
            memory = write.sigmoid() * new.tanh()
            for state, cell in below:
                memory = memory + self.forget(torch.cat([inputs[index], state])).sigmoid() * cell
            up[index] = read.sigmoid() * memory.tanh(), memory
        down: list[tuple[Tensor, Tensor]] = []
        for index, opener in enumerate(openers):
            above = down[opener] if opener >= 0 else (nothing, nothing)
            down.append(self.down(up[index][0], above))
        return torch.stack([torch.cat([up[index][0], down[index][0]]) for index in range(len(openers))])


def openers(names: Sequence[str]) -> list[int]:
    """For each decision, in the order of the walk, the place of the one that opened its branch; -1 for none.

    `layers[2]=convolution.kernel` is opened by `layers[2]`, which is opened by `layers.times`.
    """
    places: dict[str, int] = {}
    found = []
    for place, name in enumerate(names):
        starts = (name[:end] for end in reversed(range(len(name))) if name[end] in "=[")
        found.append(next((places[start] for start in starts if start in places), -1))
        places[name.removesuffix(".times")] = place
    return found
