"""Tabular Q-learning over the decisions: Baker et al., 2017 (MetaQNN), and Zhong et al., 2018 (BlockQNN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.rng import Streams, seed_for
from archwright.core.trial import Trial
from archwright.strategies.decisions import Decision, Pick, decisions, drawn
from archwright.strategies.learner import Learner
from archwright.strategies.scalar import Standings

if TYPE_CHECKING:
    from numpy.random import Generator

SCHEDULE = ((1500, 1.0), *((100, e / 10) for e in (9, 8, 7)), *((150, e / 10) for e in (6, 5, 4, 3, 2, 1)))
"""The paper's epsilon schedule: how many new architectures are evaluated at each epsilon."""

WHOLE = sum(count for count, _ in SCHEDULE)

State = tuple[str, tuple[int, ...]]
"""The choice that is to be decided, and the options taken before it."""


class Step(NamedTuple):
    """An option taken in a state."""

    state: State
    options: int
    option: int


@dataclass
class Table:
    """The values of options by state, and the replay memory: what was done, and its reward."""

    values: dict[State, list[float]] = field(default_factory=dict)
    memory: list[tuple[Step, ...]] = field(default_factory=list)
    standings: Standings = field(default_factory=Standings)


@dataclass
class QLearning(Learner[Table]):
    """Epsilon-greedy walks by a table of values, which learns from replayed memories after each evaluation.

    The state of a decision is its name and the options of the `window` decisions before it. In the paper it is the
    layer before: its kind, its parameters and its depth; here the depth is in the name, as in `layers[3].kernel`.

    The paper pays the reward at the last decision, so what an early one is worth has to travel back through states
    that do not tell of it, and in hundreds of evaluations does not arrive. By default the reward is therefore paid in
    equal shares along the walk, as in BlockQNN (Zhong et al., 2018), which found that it speeds learning up.

    A reward is where an evaluation stands among all so far (`scalar.Standings`; a failure is worth 0), so that the
    first value of 0.5 is the middle whatever the objectives; the paper's is the accuracy.

    Attributes:
        horizon: how many new architectures the paper's epsilon schedule (`SCHEDULE`) is stretched over: random for the
            first 56 %, then epsilon falls to 0.1, where it stays. 2,700 in the paper; set it to your budget of
            evaluations.
        learning_rate: alpha, 0.01.
        replay: memories replayed after each evaluation; 100 in the paper, 128 in the authors' code.
        initial: what every option is worth before it is tried; 0.5.
        window: how many decisions before the current one belong to its state.
        shaping: share of the reward that is paid along the walk, the rest is at its end; 1 in BlockQNN, 0 in MetaQNN.
    """

    horizon: int = 100
    learning_rate: float = 0.01
    replay: int = 128
    initial: float = 0.5
    window: int = 1
    shaping: float = 1.0

    def __post_init__(self) -> None:
        if self.horizon < 1 or self.window < 0 or self.replay < 0:
            raise ArchwrightError("Q-learning needs a horizon of at least 1, and a window and a replay of at least 0")
        if not 0.0 <= self.shaping <= 1.0:
            raise ArchwrightError(f"Q-learning needs a shaping in [0, 1], not {self.shaping}")

    def epsilon(self, history: History) -> float:
        """The probability of a random option, by how many new architectures were asked about."""
        left = (history.spent + len(history.pending)) * WHOLE / self.horizon
        for count, epsilon in SCHEDULE:
            if left < count:
                return epsilon
            left -= count
        return SCHEDULE[-1][1]

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A walk that takes a random option with probability epsilon, else the most valuable (at random of equals)."""
        values, epsilon = self.learned(space, history).values, self.epsilon(history)

        def begin() -> Pick:
            before: list[int] = []

            def pick(name: str, options: int) -> int:
                known = values.get(self._state(name, before), ())
                best = [option for option, value in enumerate(known) if value == max(known)]
                greedy = best and rng.random() >= epsilon
                option = best[int(rng.random() * len(best))] if greedy else int(rng.random() * options)
                before.append(option)
                return option

            return pick

        return Trial(drawn(space, begin, rng))

    def begin(self, space: SearchSpace) -> Table:
        """An empty table."""
        return Table()

    def learn(self, state: Table, space: SearchSpace, history: History, position: int) -> None:
        """Notes the evaluation in the memory, then updates the table by memories drawn from it."""
        state.standings.append(history, position)
        state.memory.append(self._steps(decisions(space, history[position].trial.architecture)))
        rng = Streams(seed_for("replay"))[position]
        for memory in (rng.random(self.replay) * len(state.memory)).astype(int).tolist():
            self._update(state.values, state.memory[memory], state.standings[memory])

    def _update(self, values: dict[State, list[float]], steps: Sequence[Step], reward: float) -> None:
        """The paper's equation 3 along one walk, from its end to its start; gamma is 1."""
        spread, target = self.shaping * reward / max(len(steps), 1), (1.0 - self.shaping) * reward
        for left, (state, options, option) in enumerate(reversed(steps), 1):
            worth = self.initial * (1.0 - self.shaping + self.shaping * left / len(steps))
            known = values.setdefault(state, [worth] * options)
            known[option] += self.learning_rate * (spread + target - known[option])
            target = max(known)

    def _steps(self, taken: Sequence[Decision]) -> tuple[Step, ...]:
        chosen = [decision.option for decision in taken]
        return tuple(
            Step(self._state(decision.name, chosen[:index]), decision.options, decision.option)
            for index, decision in enumerate(taken)
        )

    def _state(self, name: str, before: Sequence[int]) -> State:
        return name, tuple(before[max(len(before) - self.window, 0) :])
