"""Policy gradients for a recurrent controller, REINFORCE: Zoph and Le, 2017."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.strategies.decisions import decisions
from archwright.strategies.learner import Learner

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from archwright.strategies.models.controller import Policy


@dataclass
class Reinforce(Learner["Policy"]):
    """A controller names an architecture, and learns to name those again that are better than the average.

    Each new evaluation is one step of Adam up (R - b) log P(architecture), section 3.2 of the paper: R is the reward
    and b the moving average of those before. The reward is where the evaluation stands among all before it
    (`scalar.Standings`; a failure is worth 0), whatever the objectives; the paper's is the cube of the accuracy, which
    too draws good and very good ones apart. A repeated answer has no reward, or a controller that has made up its mind
    would only convince itself: it is a small step up the controller's entropy, so that it comes to name new ones.

    With several pending trials an evaluation may come from older weights than those it changes, as with the paper's
    asynchronous replicas; the difference is not corrected.

    Attributes:
        learning_rate: of Adam. 0.0006 in the paper, for 12,800 architectures; in hundreds of evaluations that stays
            close to random search, so the default is 0.01, which NATS-Bench (Dong et al., 2021) uses as well.
        decay: of the moving average, 0.9 for NAS-Bench-201 (Dong and Yang, 2020); the paper doesn't give its own.
        entropy: weight of the controller's entropy beside the reward; the paper has none.
        hidden: units a layer of the LSTM, 35.
        layers: of the LSTM, 2.
    """

    learning_rate: float = 0.01
    decay: float = 0.9
    entropy: float = 0.0
    hidden: int = 35
    layers: int = 2

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A draw from the controller."""
        return Trial(self.learned(space, history).controller.sample(space, rng))

    def begin(self, space: SearchSpace) -> Policy:
        """A controller with its first weights."""
        from archwright.strategies.models.controller import Controller, Policy  # torch loads when it is needed

        return Policy(Controller(space, self.hidden, self.layers), self.learning_rate, self.decay)

    def learn(self, state: Policy, space: SearchSpace, history: History, position: int) -> None:
        """One step for one evaluation."""
        taken = decisions(space, history[position].trial.architecture)
        if history[position].reused is not None:
            state.disperse(taken)
            return
        advantage = state.advantage(history, position)

        def objective() -> Tensor:
            log_probability, entropy = state.controller([taken])
            return (advantage * log_probability + self.entropy * entropy).sum()

        state.ascend(objective)
