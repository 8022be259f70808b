"""What every relaxation has: logits over the candidates of each open choice, and the architecture they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from archwright.core.architecture import Architecture
from archwright.core.choices import Integer, Subset
from archwright.spaces.opening import Undecided, undecided_in

if TYPE_CHECKING:
    from archwright.supernets.open_network import OpenNetwork

Weights = Mapping[int, "Tensor | float"] | Tensor
"""Of one choice's candidates: by option (what is absent is not computed), or a row with one for each."""

Batch = tuple[Tensor, Tensor]
"""Inputs as the network takes them, and targets."""


@dataclass(frozen=True)
class Step:
    """What an architecture step may use.

    Attributes:
        plain_loss: as `loss`, without mixed precision.
        train: the batch that the weights are about to learn from.
        valid: a batch of the validation split, which only architectures learn from.
        optimizer: of the weights: an unrolled step looks at its learning rate, momentum and weight decay.
        precision: makes a context in which networks compute as in the weights' steps: their mixed precision, if any.
    """

    network: OpenNetwork
    plain_loss: Callable[[Batch], Tensor]
    train: Batch
    valid: Batch
    optimizer: torch.optim.Optimizer
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext

    def loss(self, batch: Batch) -> Tensor:
        """The task's loss on a batch with the open network as it is set now."""
        with self.precision():
            return self.plain_loss(batch)


@dataclass(frozen=True)
class Adam:
    """The optimizer of architectures; the defaults are DARTS' (Liu et al., 2019b, appendix A.1)."""

    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3

    def over(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Adam:
        """Made for these parameters."""
        return torch.optim.Adam(parameters, self.learning_rate, self.betas, weight_decay=self.weight_decay)


@dataclass(frozen=True)
class Judge:
    """What who stops or selects may ask, after an epoch.

    Attributes:
        score: the task's score (larger is better) on the validation split, with the open network as it is set now.
        tune: trains the weights for one more epoch at the learning rate given, with the open network as it is set now.
        step: a fresh batch of each split.
    """

    score: Callable[[], float]
    tune: Callable[[float], None]
    step: Callable[[], Step]


class Sampler(nn.Module):
    """Says what the open network computes in each weight step. This one is the base: see `draws`.

    Randomness is torch's global one, which the training loop seeds for each epoch.
    """

    def __init__(self, network: OpenNetwork) -> None:
        super().__init__()
        self._network = (network,)  # in a tuple: the network is no submodule of its sampler

    @property
    def network(self) -> OpenNetwork:
        """The open network that it steers."""
        return self._network[0]

    def begin(self, epoch: int, epochs: int) -> None:
        """Told before each epoch, for temperatures and warm-ups; epochs count from 0."""

    def draws(self) -> Iterator[None]:
        """Sets the network for a weight step, and yields. After each yield the loss of the batch is differentiated;
        the optimizer steps when the iterator has ended, with the gradients' sum."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor, plain: Tensor) -> Tensor:
        """The loss of a weight step; `plain`, the task's own, but for who distils."""
        return plain

    def state(self) -> dict[str, Any]:
        """All that continuing needs (it loads with `weights_only=True`)."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""


class Relaxation(Sampler):
    """A distribution over every open choice, with parameters that gradients reach: a row of logits each.

    A choice inside an item of a `Subset` has one logit more, the last, for taking no part: DARTS' operation `none`.
    The items of a Subset compete by the strongest of their candidates (Liu et al., 2019b, section 2.4), so it has no
    row itself; where its items hold no choice, as the parents in NAS-Bench-1Shot1, it has one (Zela et al., 2020b).

    A relaxation of one's own says in `weights` how weights over candidates are drawn; this one is the softmax of DARTS.

    Args:
        gradient: of the parameters, in their order: `first_order`, `unrolled` or `single_level` of `bilevel`.
        adam: settings of the optimizer of the parameters.
        spread: standard deviation of the initial logits; 1e-3 in DARTS' code.
        warmup: share of the epochs, the first ones, in which only the weights learn.
        penalty: added to the loss in an architecture step, such as an expected latency.

    Attributes:
        names: the choices that are relaxed; `logits` has their rows in this order.
        penalty: what is added, as a function of `probabilities()`.
        stop: asked after each epoch whether to end early; any relaxation may be given one.
        selection: picks the architecture at the end, in place of `architecture`; any relaxation may be given one.
        kept: what a stop remembers from epoch to epoch: numbers, texts and lists of them. It is part of the state.
    """

    def __init__(
        self,
        network: OpenNetwork,
        gradient: Gradient,
        adam: Adam = Adam(),
        spread: float = 1e-3,
        warmup: float = 0.0,
        penalty: Penalty | None = None,
    ) -> None:
        super().__init__(network)
        relaxed = [choice for choice in network.choices.values() if choice.is_weighed]
        self.names = [choice.name for choice in relaxed]
        self.logits = nn.ParameterList(
            spread * torch.randn(len(choice.options) + choice.optional) for choice in relaxed
        )
        self.penalty = None if penalty is None else penalty.over(network)
        self.stop: Stop | None = None
        self.selection: Selection | None = None
        self.kept: dict[str, Any] = {}
        self._gradient, self._adam, self._warmup, self._rests = gradient, adam, warmup, False
        self._optimizer: torch.optim.Optimizer | None = None

    def begin(self, epoch: int, epochs: int) -> None:
        """Told before each epoch, for temperatures and warm-ups; epochs count from 0."""
        self._rests = epoch < self._warmup * epochs

    def weights(self) -> dict[str, Weights]:
        """Weights over the candidates for one forward pass, by choice; gradients reach the parameters through them."""
        return self.mixture()

    def mixture(self) -> dict[str, Weights]:
        """Weights over the candidates where all of them take part, each by its probability."""
        return dict(self.probabilities())

    def apply_weights(self) -> None:
        """Sets the network to weights drawn anew; what has none, such as a Subset, is open, whatever it was before."""
        self.network.open()
        self.network.mix(self.weights())

    def probabilities(self) -> dict[str, Tensor]:
        """The distribution over each choice's candidates (and over taking no part, where there is that)."""
        return {name: torch.softmax(row, 0) for name, row in zip(self.names, self.logits, strict=True)}

    def cost(self) -> Tensor | float:
        """What is added to the loss in an architecture step: the penalty, if there is one."""
        return 0.0 if self.penalty is None else self.penalty(self.probabilities())

    def draws(self) -> Iterator[None]:
        """One draw a weight step; the weights over candidates are constants in it."""
        with torch.no_grad():
            self.apply_weights()
        yield

    def learn(self, step: Step) -> None:
        """One step of the relaxation's own parameters, before the weights' step on the same batch."""
        if self._rests:
            return
        for parameter, gradient in zip(self.parameters(), self._gradient(self, step), strict=True):
            parameter.grad = gradient
        self.optimizer.step()

    def finish_epoch(self, judge: Judge) -> None:
        """Told after the weights' steps of each epoch, for who learns once an epoch; randomness is seeded."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Adam over the parameters; made when first used, since a subclass may add some."""
        if self._optimizer is None:
            self._optimizer = self._adam.over(self.parameters())
        return self._optimizer

    def settle(self) -> None:
        """Sets the network to what the score after an epoch is to measure: here the mixture, as DARTS does."""
        with torch.no_grad():
            self.apply_weights()

    @torch.no_grad()
    def architecture(self) -> Architecture:
        """What it stands for: the likeliest candidate of each choice, and of a Subset the strongest items."""
        probabilities = self.probabilities()

        def decide(choice: Undecided) -> int:
            if isinstance(choice.choice, Subset):
                return strongest(choice, self.strengths(choice, probabilities))
            return decision(choice, int(probabilities[choice.name][: len(choice.options)].argmax()))

        return self.network.architecture(decide)

    def strengths(self, choice: Undecided, probabilities: dict[str, Tensor]) -> list[float]:
        """How strong each item of a Subset is."""
        if choice.is_weighed:
            return [float(share) for share in probabilities[choice.name][: len(choice.options)]]
        return [self.strength(item, probabilities) for item in choice.options]

    def strength(self, item: Any, probabilities: dict[str, Tensor]) -> float:
        """How strong an item of a Subset is: the largest probability of a candidate in it."""
        inside = undecided_in(item)
        return max((float(probabilities[choice.name][: len(choice.options)].max()) for choice in inside), default=1.0)

    def finished(self, judge: Judge) -> Architecture | None:
        """Asked after each epoch: the architecture to end with, if the search should stop here."""
        return None if self.stop is None else self.stop(self, judge)

    def select(self, judge: Judge) -> Architecture:
        """The architecture to keep, when all epochs are over."""
        return self.architecture() if self.selection is None else self.selection(self, judge)

    def state(self) -> dict[str, Any]:
        """All that continuing needs (it loads with `weights_only=True`)."""
        return {"parameters": self.state_dict(), "optimizer": self.optimizer.state_dict(), "kept": self.kept}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.load_state_dict(state["parameters"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.kept = state["kept"]


class Penalty(Protocol):
    """A cost that an architecture is to be small in, as `strategies.ExpectedCost`."""

    def over(self, network: OpenNetwork) -> Callable[[Mapping[str, Tensor]], Tensor]:
        """A function of the probabilities of each choice's candidates, by choice."""
        ...


Gradient = Callable[[Relaxation, Step], Sequence[Tensor]]
"""gradient(relaxation, step) -> of each parameter of the relaxation."""

Stop = Callable[[Relaxation, Judge], Architecture | None]
"""stop(relaxation, judge) -> the architecture to end with, if the search should stop after this epoch."""

Selection = Callable[[Relaxation, Judge], Architecture]
"""selection(relaxation, judge) -> the architecture to keep of a relaxation that is trained."""


def decision(choice: Undecided, option: int) -> int:
    """An option as an architecture holds it: its place, or an Integer's value."""
    return option + (choice.choice.low if isinstance(choice.choice, Integer) else 0)


def strongest(choice: Undecided, strengths: list[float]) -> int:
    """The combination of a Subset with the greatest strengths, as a decision; earlier items win ties."""
    assert isinstance(choice.choice, Subset)
    order = sorted(range(len(strengths)), key=lambda item: -strengths[item])
    return choice.choice.combinations.index(tuple(sorted(order[: choice.choice.size])))
