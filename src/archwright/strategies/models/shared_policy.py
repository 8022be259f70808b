"""The controller of ENAS (Pham et al., 2018): a policy over the architectures of an open network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Subset
from archwright.predictors.threads import one_thread
from archwright.spaces.encodings import OneHot
from archwright.strategies.decisions import Decision, decisions, options_of
from archwright.strategies.models.controller import Controller
from archwright.supernets.bilevel import first_order
from archwright.supernets.relaxation import Relaxation
from archwright.supernets.sampling.sampling import generator

if TYPE_CHECKING:
    from archwright.spaces.space import Space
    from archwright.strategies.enas import ENAS
    from archwright.supernets.open_network import OpenNetwork
    from archwright.supernets.relaxation import Judge, Step

TRACED = 100
"""Architectures from which the probabilities of a trace are estimated."""


class LimitedController(Controller):
    """A controller whose logits are limit * tanh(logit): no option becomes certain, and none impossible."""

    limits: Tensor
    flags: Tensor

    def __init__(self, space: Space, hidden: int, limit: float, op_limit: float) -> None:
        super().__init__(space, hidden, layers=1, spread=0.1)
        options = self.softmax.out_features
        self.register_buffer("limits", torch.full((options,), limit, dtype=torch.float64), persistent=False)
        self.register_buffer("flags", torch.zeros(options, 2, dtype=torch.float64), persistent=False)
        lists = set()
        for name, choice in OneHot(space).slots.items():
            rows = slice(self._row[name], self._row[name] + options_of(choice))
            if not isinstance(choice, Choice) or isinstance(choice, Subset):
                continue
            if all(map(callable, choice.options)):
                self.limits[rows] = op_limit
            elif set(map(repr, choice.options)) == {"False", "True"}:
                self.flags[rows] = torch.tensor([[not option, option] for option in choice.options]).double()
                lists.add(name.rpartition("[")[0])
        self._lists = len(lists)

    def logits(self, features: Tensor, rows: slice = slice(None)) -> Tensor:
        """Within the limits: (..., hidden) -> (..., options)."""
        return self.limits[rows] * torch.tanh(super().logits(features, rows))

    def excess(self, sequences: Sequence[Sequence[Decision]], target: float) -> Tensor:
        """How far from `target` the probabilities are with which connections exist: a number.

        The Kullback-Leibler divergence, summed over the connections of a layer (those in one list), averaged over
        layers and sequences.
        """
        if not self._lists:
            return torch.zeros((), dtype=torch.float64)
        _, _, logs, probabilities = self.along(sequences)
        wanted = self.flags @ torch.tensor([1 - target, target], dtype=torch.float64).log()
        divergence = probabilities * (logs - wanted) * self.flags.sum(1)
        return divergence.sum() / (self._lists * len(sequences))


class SharedPolicy(Relaxation):
    """The LSTM in the place of logits: it samples architectures, and learns by their accuracy after each epoch.

    It stays on the CPU, in float64.
    """

    baseline: Tensor

    def __init__(self, network: OpenNetwork, given: ENAS) -> None:
        super().__init__(network, first_order)
        self.logits = torch.nn.ParameterList()  # the controller's weights stand for them
        self.given = given
        self.controller = LimitedController(network.space, given.hidden, given.limit, given.op_limit)
        self.register_buffer("baseline", torch.tensor(torch.nan, dtype=torch.float64))
        self._optimizer = torch.optim.Adam(
            self.parameters(), given.learning_rate, betas=(0.0, 0.999), eps=1e-3, foreach=False
        )
        self._best: Architecture | None = None

    def apply_weights(self) -> None:
        """The network computes an architecture drawn anew."""
        self.network.decide(self.drawn())

    def drawn(self) -> Architecture:
        """An architecture that the controller names."""
        return self.controller.sample(self.network.space, generator())

    def learn(self, step: Step) -> None:
        """Nothing: the controller waits for the end of the epoch."""

    def finish_epoch(self, judge: Judge) -> None:
        """The second phase of an epoch: the controller's steps, and a new architecture to stand for it."""
        for _ in range(self.given.steps):
            named = [self.drawn() for _ in range(self.given.samples)]
            self.reinforce(named, [self.reward(architecture, judge.step()) for architecture in named])
        step, candidates = judge.step(), [self.drawn() for _ in range(self.given.candidates)]
        self._best = max(candidates, key=lambda architecture: self.reward(architecture, step))

    @torch.no_grad()
    def reward(self, architecture: Architecture, step: Step) -> float:
        """The accuracy on the validation batch, with batch-norm as in training; where targets are numbers, -loss."""
        self.network.decide(architecture)
        inputs, targets = step.valid
        if targets.is_floating_point():
            return -float(step.loss(step.valid))
        with step.precision():
            outputs = step.network(inputs)
        return float((outputs.argmax(1) == targets).double().mean())

    def reinforce(self, named: Sequence[Architecture], rewards: Sequence[float]) -> None:
        """One step up the mean of (R + entropy - b) log P, b the moving average of the rewards before (equation 2)."""
        given, taken = self.given, [decisions(self.network.space, architecture) for architecture in named]
        with one_thread():
            logs, entropies = self.controller(taken)
            objective = torch.zeros((), dtype=torch.float64)
            for log, entropy, reward in zip(logs, entropies.detach(), rewards, strict=True):
                whole = reward + given.entropy * entropy
                before = whole if self.baseline.isnan() else self.baseline
                objective = objective + (whole - before) * log / len(rewards)
                self.baseline = given.decay * before + (1 - given.decay) * whole
            loss = given.skip_weight * self.controller.excess(taken, given.skip_target) - objective
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def probabilities(self) -> dict[str, Tensor]:
        """How often each candidate is named in `TRACED` architectures, always by the same random numbers."""
        rng, counts = np.random.Generator(np.random.Philox(0)), {}
        for name in self.names:
            choice = self.network.choices[name]
            counts[name] = torch.zeros(len(choice.options) + choice.optional)
        for _ in range(TRACED):
            known = self.controller.sample(self.network.space, rng).as_dict()
            for name, row in counts.items():
                declared = self.network.choices[name].choice
                if name in known:
                    row[int(known[name]) - (declared.low if isinstance(declared, Integer) else 0)] += 1
                elif self.network.choices[name].optional:
                    row[-1] += 1
        return {name: row / row.sum() if row.any() else row + 1 / len(row) for name, row in counts.items()}

    def settle(self) -> None:
        """The score after an epoch is that of the architecture that stands for it."""
        self.network.decide(self.architecture())

    def architecture(self) -> Architecture:
        """The best of the last epoch's samples; before the first epoch, any."""
        return self.drawn() if self._best is None else self._best

    def state(self) -> dict[str, Any]:
        """All that continuing needs."""
        return super().state() | {"best": None if self._best is None else self._best.to_json()}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        super().load_state(state)
        self._best = None if state["best"] is None else Architecture.from_json(state["best"])

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves nowhere: sampling is many small steps, for which a GPU would only add waiting."""
        return self
