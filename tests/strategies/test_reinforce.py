from dataclasses import replace

import numpy as np
import pytest
import torch

from archwright.core.choices import Choice
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.search import budget, search
from archwright.spaces.operators import enumerate_all, sample
from archwright.spaces.space import Space
from archwright.strategies.decisions import decisions
from archwright.strategies.reinforce import Reinforce


def made(**arguments):
    return arguments


SPACE = Space(made, ops=[Choice(*range(4)) for _ in range(3)])


def loss(architecture):
    return float(sum((value - target) ** 2 for (_, value), target in zip(architecture, (3, 0, 2), strict=True)))


def history_of(count, seed=0):
    drawn = [sample(SPACE, Streams(seed)[number]) for number in range(count)]
    return History("min:loss", [Evaluation(Trial(each), {"loss": loss(each)}) for each in drawn])


def weights_of(policy):
    return torch.cat([weights.detach().flatten() for weights in policy.controller.parameters()])


def test_baseline_is_the_moving_average_of_the_rewards_before():
    history, strategy = history_of(6), Reinforce(decay=0.8)
    policy = strategy.begin(SPACE)
    losses = [evaluation.metrics["loss"] for evaluation in history]
    average = None
    for position in range(6):
        better = sum(other >= losses[position] for other in losses[:position])
        reward = better / position if position else 0.5
        average = reward if average is None else average
        assert policy.advantage(history, position) == pytest.approx(reward - average)
        average = 0.8 * average + 0.2 * reward


def test_an_evaluation_moves_along_the_gradient_of_its_log_probability():
    strategy = Reinforce(hidden=5)
    history = history_of(2)
    policy = strategy.begin(SPACE)
    strategy.learn(policy, SPACE, history, 0)
    taken = decisions(SPACE, history[1].trial.architecture)
    first, second = (evaluation.metrics["loss"] for evaluation in history)
    advantage = (1.0 if second <= first else 0.0) - 0.5
    expected = []
    for weights in policy.controller.parameters():
        flat = weights.data.view(-1)
        for place in range(0, flat.numel(), 7):
            before, ends = flat[place].item(), []
            for step in (1e-5, -1e-5):
                flat[place] = before + step
                ends.append(policy.controller([taken])[0].item())
            flat[place] = before
            expected.append(-advantage * (ends[0] - ends[1]) / 2e-5)
    strategy.learn(policy, SPACE, history, 1)
    found = [g for weights in policy.controller.parameters() for g in weights.grad.view(-1)[::7].tolist()]
    assert found == pytest.approx(expected, abs=1e-8)


def test_weights_are_a_fold_to_the_last_bit():
    history = history_of(12)
    grown, strategy = History("min:loss"), Reinforce()
    for evaluation in history:
        grown.append(grown.ask(evaluation.trial), evaluation)
        strategy.learned(SPACE, grown)
    assert torch.equal(weights_of(strategy.learned(SPACE, grown)), weights_of(Reinforce().learned(SPACE, history)))


def test_a_repeated_answer_makes_the_controller_less_certain_and_has_no_reward():
    history, strategy = history_of(5), Reinforce()
    taken = decisions(SPACE, history[2].trial.architecture)
    policy = strategy.learned(SPACE, history)
    before, baseline = policy.controller([taken])[1].item(), policy.baseline
    for _ in range(50):  # first the optimiser's momentum has to wear off
        again = replace(history[2], reused=2)
        history.append(history.ask(again.trial), again)
    assert strategy.learned(SPACE, history).controller([taken])[1].item() > before
    assert policy.baseline == baseline


class Additive:
    """Answers with how far the five decisions are from (3, 0, 2, 1, 3)."""

    space = Space(made, ops=[Choice(*range(4)) for _ in range(5)])

    def estimate(self, space, trial):
        pairs = zip(trial.architecture, (3, 0, 2, 1, 3), strict=True)
        return Evaluation(trial, {"loss": float(sum((value - target) ** 2 for (_, value), target in pairs))})


def improvement(strategy, evaluations=90):
    """The mean loss of the last 30 proposals, repeated ones among them, in shares of that of the first 30."""
    run = budget(search(Additive.space, strategy, Additive(), objectives="min:loss"), evaluations=evaluations)
    losses = [evaluation.metrics["loss"] for evaluation in run]
    return np.mean(losses[-30:]) / np.mean(losses[:30])


def test_learns_what_is_good():
    assert improvement(Reinforce()) < 0.8


def test_a_failure_is_made_less_likely():
    bad = next(iter(enumerate_all(SPACE)))
    history = history_of(3)
    strategy = Reinforce()
    before = strategy.learned(SPACE, history).controller([decisions(SPACE, bad)])[0].item()
    history.append(history.ask(Trial(bad)), Evaluation(Trial(bad), failure="it broke"))
    assert strategy.learned(SPACE, history).controller([decisions(SPACE, bad)])[0].item() < before
