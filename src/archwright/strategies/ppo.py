"""Proximal policy optimisation of a controller: Zoph, Vasudevan, Shlens and Le, 2018; Schulman et al., 2017."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.protocols import SearchSpace
from archwright.core.trial import Trial
from archwright.strategies.decisions import Decision, decisions
from archwright.strategies.learner import Learner

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor

    from archwright.strategies.models.controller import Policy


@dataclass
class Batch:
    """A policy, and the evaluations that its next update will learn from."""

    policy: Policy
    taken: list[tuple[Decision, ...]] = field(default_factory=list)
    advantages: list[float] = field(default_factory=list)


@dataclass
class PPO(Learner[Batch]):
    """As `Reinforce`, but learns from batches, several steps from each, none far from where the batch began.

    Rewards, repeated answers and pending trials are as there. What comes from weights older than the batch's counts as
    if it came from those: the ratio is to the weights at the batch's end, before its first step.

    Attributes:
        batch: new evaluations an update; small, so that a budget of a hundred has some updates.
        steps: of Adam up the clipped objective, an update.
        clip: epsilon of Schulman et al., equation 7: 0.2.
        learning_rate: of Adam. 0.00035 in the paper, for 20,000 architectures; the default is for hundreds.
        entropy: weight of the controller's entropy, 0.00001 in the paper.
        decay: of the moving average of rewards, 0.95 in the paper.
        hidden: units a layer of the LSTM, 100.
        layers: of the LSTM, 1.
    """

    batch: int = 5
    steps: int = 4
    clip: float = 0.2
    learning_rate: float = 0.003
    entropy: float = 1e-5
    decay: float = 0.95
    hidden: int = 100
    layers: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1 or self.steps < 1:
            raise ArchwrightError(f"PPO needs batch and steps of at least 1, not {self.batch} and {self.steps}")

    def propose(self, space: SearchSpace, history: History, rng: Generator) -> Trial:
        """A draw from the controller."""
        return Trial(self.learned(space, history).policy.controller.sample(space, rng))

    def begin(self, space: SearchSpace) -> Batch:
        """A controller with its first weights, and an empty batch."""
        from archwright.strategies.models.controller import Controller, Policy  # torch loads when it is needed

        return Batch(Policy(Controller(space, self.hidden, self.layers), self.learning_rate, self.decay))

    def learn(self, state: Batch, space: SearchSpace, history: History, position: int) -> None:
        """Takes the evaluation in; a full batch is learnt from, and begun anew."""
        taken = decisions(space, history[position].trial.architecture)
        if history[position].reused is not None:
            state.policy.disperse(taken)
            return
        state.advantages.append(state.policy.advantage(history, position))
        state.taken.append(taken)
        if len(state.taken) == self.batch:
            self.update(state)
            state.taken, state.advantages = [], []

    def update(self, state: Batch) -> None:
        """Steps up min(ratio A, clip(ratio) A) + entropy, the mean over the batch."""
        import torch

        advantages = torch.tensor(state.advantages, dtype=torch.float64)
        with torch.no_grad():
            before = state.policy.controller(state.taken)[0]

        def objective() -> Tensor:
            now, entropy = state.policy.controller(state.taken)
            return (clipped(torch.exp(now - before), advantages, self.clip) + self.entropy * entropy).mean()

        for _ in range(self.steps):
            state.policy.ascend(objective)


def clipped(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Schulman et al., equation 7, a term an architecture: (batch,)."""
    import torch

    return torch.minimum(ratios * advantages, ratios.clamp(1.0 - clip, 1.0 + clip) * advantages)
