"""Every strategy that proposes, on every kind of space: 60 evaluations each, with its defaults."""

import pytest
from torch import nn

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.rng import seed_for
from archwright.registry import parts

pytestmark = pytest.mark.slow

REFUSED = {("pnas", name) for name in ("multibranch", "cell", "nasbench201")}
"""(strategy, space) where the strategy says that it can't; everything else has to run."""


def users_own(signature, stem, blocks):
    raise AssertionError("a strategy builds no network")


def conditional():
    """A user's space with branches, repetitions, numbers and something shared."""
    act = aw.Choice(nn.ReLU, nn.GELU, nn.SiLU)
    return aw.Space(
        users_own,
        stem=aw.Choice(
            {"kind": "conv", "kernel": aw.Choice(3, 5), "act": act}, {"kind": "patch", "size": aw.Integer(2, 8)}
        ),
        blocks=aw.Repeat(
            {"width": aw.Integer(8, 128, log=True), "drop": aw.Choice("none", aw.Real(0.05, 0.5)), "act": act},
            times=aw.Integer(1, 6),
        ),
    )


SPACES = {
    "chain": lambda: aw.spaces.chain(),
    "multibranch": lambda: aw.spaces.multibranch(),
    "cell": lambda: aw.spaces.cell(),
    "nasbench201": lambda: aw.spaces.nasbench201(),
    "conditional": conditional,
}


class Additive:
    """A made-up loss: every decision has a weight of its own, drawn from its name and value."""

    def estimate(self, space, trial):
        weights = [seed_for(name, round(float(value), 1)) / 2**63 for name, value in trial.architecture]
        return aw.Evaluation(trial, {"loss": sum(weights) / len(weights)}, cost=1.0)


GIVEN = {"warm": {"of": aw.strategies.RegularizedEvolution(10, 3), "cheap": Additive(), "by": "min:loss", "pool": 50}}
"""What strategies can't do without."""

PROPOSE = [name for name, part in parts("strategies").items() if hasattr(part, "propose") and name != "exhaustive"]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("strategy", PROPOSE)
def test_sixty_evaluations(strategy, space):
    made = parts("strategies")[strategy](**GIVEN.get(strategy, {}))
    run = aw.budget(
        aw.search(SPACES[space](), made, Additive(), objectives="min:loss", executor=aw.Simulated(2), seed=3),
        evaluations=60,
    )
    if (strategy, space) in REFUSED:
        with pytest.raises(ArchwrightError):
            next(run)
        return
    for _ in run:
        pass
    assert run.history.spent == 60
    assert all(evaluation.failure is None for evaluation in run.history)
