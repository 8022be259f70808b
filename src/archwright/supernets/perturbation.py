"""DARTS-PT (Wang et al., 2021): what to keep is what the trained network can't do without, not what weighs most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from archwright.core.architecture import Architecture
from archwright.core.choices import Subset
from archwright.spaces.opening import Undecided
from archwright.supernets.relaxation import Judge, Relaxation, decision


@dataclass(frozen=True)
class Perturbation:
    """Decides one choice after the other, by what the score loses without each candidate (algorithm 1).

    First the ops, in random order: of each the candidate whose removal costs most. Then the Subsets: the item whose
    removal costs least goes, until as many are left as the Subset takes. After each decision the weights are tuned, at
    a rate that falls to 0 over all of it. Candidates that are not decided yet keep the weights that they were trained
    with, and the relaxation learns no more (in the authors' code it does while the weights are tuned).

    Attributes:
        epochs: of tuning after a decision.
        learning_rate: of tuning at the beginning; a tenth of the search's.
    """

    epochs: int = 5
    learning_rate: float = 0.0025

    def __call__(self, relaxation: Relaxation, judge: Judge) -> Architecture:
        """The architecture to keep."""
        network = relaxation.network
        with torch.no_grad():
            network.open()
            network.mix(relaxation.mixture())
        choices = list(network.choices.values())
        order = [choices[place] for place in torch.randperm(len(choices)).tolist()]
        order.sort(key=lambda choice: choice.is_subset)
        decided: dict[str, int] = {}
        for number, choice in enumerate(order):
            decided[choice.name] = _chosen(choice, judge)
            choice.decide(decided[choice.name])
            if number < len(order) - 1:
                self._tune(judge, number, len(order) - 1)
        return network.architecture(lambda choice: decided[choice.name])

    def _tune(self, judge: Judge, number: int, tunings: int) -> None:
        for epoch in range(number * self.epochs, (number + 1) * self.epochs):
            judge.tune(self.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / (tunings * self.epochs))))


def _chosen(choice: Undecided, judge: Judge) -> int:
    """The decision for one choice."""
    if isinstance(choice.choice, Subset):
        while len(choice.weights) > choice.choice.size:
            scores = {item: _without(choice, item, judge) for item in choice.weights}
            del choice.weights[max(scores, key=scores.__getitem__)]
        return choice.choice.combinations.index(tuple(sorted(choice.weights)))
    if len(choice.options) == 1:
        return decision(choice, 0)
    scores = {option: _without(choice, option, judge) for option in choice.weights}
    return decision(choice, min(scores, key=scores.__getitem__))


def _without(choice: Undecided, gone: int, judge: Judge) -> float:
    """The score when one of the candidates takes no part, and the others do with the weights that they have."""
    before = choice.weights
    choice.weights = {option: weight for option, weight in before.items() if option != gone}
    try:
        return judge.score()
    finally:
        choice.weights = before
