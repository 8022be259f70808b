"""The controller of Zoph and Le (2017): a recurrent network that names an architecture decision by decision."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from archwright.core.architecture import Architecture
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import seed_for
from archwright.predictors.threads import one_thread
from archwright.strategies.decisions import Decision, Pick, drawn
from archwright.strategies.models.rows import option_rows
from archwright.strategies.scalar import Standings

if TYPE_CHECKING:
    from numpy.random import Generator

DISPERSION = 0.02
"""Weight of the entropy where an answer was repeated. With 0, most searches of NAS-Bench-201 ended before 300
evaluations, with a controller that named known architectures only; with 1 it forgot what was good."""


class Controller(nn.Module):
    """An LSTM that walks the space: each decision is drawn from a softmax and fed into the next step.

    It follows the walk, so conditional branches and repetitions need nothing of their own. A step reads the option
    taken before and the place that is decided now. The softmax has a row of weights an option; places that differ in
    repetitions only, such as `layers[2].kernel` and `layers[5].kernel`, share theirs, and the recurrence tells them
    apart. An Integer of many values and a Real are drawn by bins (`strategies.decisions`); the value inside a bin is
    uniform, which no weight has a part in, so probabilities here are those of the bins.

    Numbers are float64 and live on the CPU: at this size that costs nothing and the same history gives the same bits.

    Args:
        hidden: units of each layer, and length of the embeddings; 35 in the paper.
        layers: 2 in the paper.
        spread: weights begin uniform in [-spread, spread]; 0.08 in the paper.
    """

    def __init__(self, space: SearchSpace, hidden: int = 35, layers: int = 2, spread: float = 0.08) -> None:
        super().__init__()
        self._row, rows = option_rows(space)
        self._place = {name: index for index, name in enumerate(self._row)}
        options = max(rows, 1)
        with torch.random.fork_rng(devices=[]):  # modules draw initial weights from the global generator
            self.places = nn.Embedding(max(len(self._place), 1), hidden)
            self.taken = nn.Embedding(options + 1, hidden)  # the last row: nothing was decided before
            self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
            self.softmax = nn.Linear(hidden, options)
        self.double()
        generator = torch.Generator().manual_seed(seed_for("controller", hidden, layers, spread))
        for weights in self.parameters():
            nn.init.uniform_(weights, -spread, spread, generator=generator)

    @torch.no_grad()
    def sample(self, space: SearchSpace, rng: Generator) -> Architecture:
        """Draws an architecture."""
        return drawn(space, lambda: self._picks(rng), rng)

    def _picks(self, rng: Generator) -> Pick:
        state: tuple[Tensor, Tensor] | None = None
        before = self.taken.num_embeddings - 1

        def pick(name: str, options: int) -> int:
            nonlocal state, before
            seen = self.places.weight[self._place[name]] + self.taken.weight[before]
            output, state = self.lstm(seen[None, None], state)
            rows = slice(self._row[name], self._row[name] + options)
            cumulative = torch.softmax(self.logits(output[0, 0], rows), 0).cumsum(0).tolist()
            option = min(bisect_right(cumulative, rng.random()), options - 1)
            before = self._row[name] + option
            return option

        return pick

    def logits(self, features: Tensor, rows: slice = slice(None)) -> Tensor:
        """Of the options in `rows`, from the LSTM's last layer: (..., hidden) -> (..., options)."""
        return functional.linear(features, self.softmax.weight[rows], self.softmax.bias[rows])

    def __call__(self, sequences: Sequence[Sequence[Decision]]) -> tuple[Tensor, Tensor]:
        """As `forward`, typed."""
        return super().__call__(sequences)  # type: ignore[no-any-return]

    def forward(self, sequences: Sequence[Sequence[Decision]]) -> tuple[Tensor, Tensor]:
        """Log-probability of each sequence, and entropy of the decisions along it: two of shape (sequences,)."""
        if not any(sequences):  # a space with nothing to decide
            none = torch.zeros(len(sequences), dtype=torch.float64, requires_grad=True)
            return none, none
        owner, option, logs, probabilities = self.along(sequences)
        taken = logs.gather(1, option[:, None])[:, 0]
        nothing = torch.zeros(len(sequences), dtype=logs.dtype)
        return nothing.index_add(0, owner, taken), nothing.index_add(0, owner, -(probabilities * logs).sum(1))

    def along(self, sequences: Sequence[Sequence[Decision]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All decisions of all sequences, one after the other.

        Returns the sequence and the option taken, two of shape (decisions,); and log-probabilities and probabilities of
        the options of all places, two of shape (decisions, options), 0 for those that a decision has not.
        """
        longest = max(map(len, sequences))
        place, before = (torch.zeros(len(sequences), longest, dtype=torch.long) for _ in range(2))
        rows: list[tuple[int, int, int, int, int]] = []  # sequence, step, first option's row, options, row taken
        for index, sequence in enumerate(sequences):
            last = self.taken.num_embeddings - 1
            for step, decision in enumerate(sequence):
                row = self._row[decision.name]
                place[index, step], before[index, step] = self._place[decision.name], last
                last = row + decision.option
                rows.append((index, step, row, decision.options, last))
        owner, time, low, count, option = torch.tensor(rows).T
        output, _ = self.lstm(self.places(place) + self.taken(before))  # (sequences, longest, hidden)
        logits = self.logits(output[owner, time])
        columns = torch.arange(logits.shape[1])
        own = (columns >= low[:, None]) & (columns < (low + count)[:, None])
        logs = logits.masked_fill(~own, -math.inf).log_softmax(1).masked_fill(~own, 0.0)
        return owner, option, logs, logs.exp() * own


class Policy:
    """A controller that learns by reward: the state of `Reinforce` and of `PPO`.

    Attributes:
        baseline: the moving average of the rewards so far.
    """

    def __init__(self, controller: Controller, learning_rate: float, decay: float) -> None:
        self.controller, self.decay = controller, decay
        self.optimizer = torch.optim.Adam(controller.parameters(), lr=learning_rate, foreach=False)
        self.standings = Standings()
        self.baseline: float | None = None

    def advantage(self, history: History, position: int) -> float:
        """By how much the reward exceeds the baseline, which then moves."""
        reward = self.standings.append(history, position)
        before = reward if self.baseline is None else self.baseline
        self.baseline = self.decay * before + (1.0 - self.decay) * reward
        return reward - before

    def disperse(self, taken: Sequence[Decision]) -> None:
        """A small step up the entropy of the decisions that led to a repeated answer."""
        self.ascend(lambda: DISPERSION * self.controller([taken])[1].sum())

    def ascend(self, objective: Callable[[], Tensor]) -> None:
        """One step of Adam up the objective."""
        with one_thread():
            self.optimizer.zero_grad()
            (-objective()).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
