import numpy as np
import pytest
import torch

from archwright.core.errors import ArchwrightError
from archwright.strategies.decisions import decisions
from archwright.strategies.ppo import PPO, clipped
from tests.strategies.test_reinforce import SPACE, history_of, improvement, weights_of


def test_clipped_objective_by_hand():
    rng = np.random.default_rng(0)
    ratios, advantages = np.exp(rng.normal(size=200)), rng.normal(size=200)
    expected = []
    for ratio, advantage in zip(ratios, advantages, strict=True):
        if advantage >= 0:  # nothing is gained by going beyond 1 + clip
            expected.append(min(ratio, 1.2) * advantage)
        else:  # nor below 1 - clip
            expected.append(max(ratio, 0.8) * advantage)
    found = clipped(torch.tensor(ratios), torch.tensor(advantages), 0.2)
    assert found.tolist() == pytest.approx(expected)


def test_what_is_clipped_has_no_gradient():
    ratios = torch.tensor([1.3, 1.1, 0.7, 0.9, 1.3, 0.7], requires_grad=True)
    clipped(ratios, torch.tensor([1.0, 1.0, -1.0, -1.0, -1.0, 1.0]), 0.2).sum().backward()
    assert ratios.grad.tolist() == [0.0, 1.0, 0.0, -1.0, -1.0, 1.0]


def test_the_first_step_goes_up_the_policy_gradient_of_the_batch():
    strategy, history = PPO(batch=4, steps=1, entropy=0.0), history_of(4)
    reference = strategy.begin(SPACE).policy
    advantages = [reference.advantage(history, position) for position in range(4)]
    logs, _ = reference.controller([decisions(SPACE, evaluation.trial.architecture) for evaluation in history])
    (-(logs * torch.tensor(advantages, dtype=torch.float64)).mean()).backward()
    learned = strategy.learned(SPACE, history).policy
    for found, expected in zip(learned.controller.parameters(), reference.controller.parameters(), strict=True):
        assert torch.allclose(found.grad, expected.grad, atol=1e-12)


def test_learns_from_full_batches_only():
    strategy = PPO(batch=5)
    begun = weights_of(strategy.begin(SPACE).policy)
    assert torch.equal(weights_of(strategy.learned(SPACE, history_of(4)).policy), begun)
    after = weights_of(strategy.learned(SPACE, history_of(5)).policy)
    assert not torch.equal(after, begun)
    assert torch.equal(weights_of(strategy.learned(SPACE, history_of(9)).policy), after)


def test_learns_what_is_good():
    assert improvement(PPO()) < 0.8


def test_refuses_empty_batches():
    with pytest.raises(ArchwrightError, match="batch"):
        PPO(batch=0)
