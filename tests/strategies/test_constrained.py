"""Strategies with a model, where a constraint is known before anything is spent and most architectures break it."""

import math

import pytest

import archwright as aw
from archwright import strategies
from archwright.core.choices import Choice
from archwright.core.trial import Evaluation
from archwright.spaces.space import Space

SPACE = Space(lambda layers: layers, layers=[Choice(*range(5)) for _ in range(8)])
LIMIT = "parameters <= 35"  # 20 % of the architectures keep it, and they are the worse ones


class Sized:
    """The later a layer, the more it gains by its size."""

    metrics = ("loss", "parameters")

    def preflight(self, space, trial):
        return {"parameters": float(sum(2**value for _, value in trial.architecture))}

    def estimate(self, space, trial):
        gain = sum((place + 1) * value for place, (_, value) in enumerate(trial.architecture))
        return Evaluation(trial, {"loss": math.exp(-gain / 70), **self.preflight(space, trial)}, cost=1.0)


def searched(strategy, evaluations=40, objectives=("min:loss", LIMIT)):
    run = aw.budget(aw.search(SPACE, strategy, Sized(), objectives=objectives), evaluations=evaluations)
    list(run)
    return run.history


def rejected(history):
    return sum(evaluation.rejected for evaluation in history)


@pytest.mark.parametrize(
    ("strategy", "share"),  # that of Random's rejections that it has at most: without lessons from them each has more
    [
        (strategies.TPE(), 1.0),
        (strategies.SMAC(candidates=30), 0.5),
        (strategies.BANANAS(epochs=20, members=2, layers=2), 0.2),
        (strategies.NASBOWL(candidates=30), 0.2),
        (strategies.NASBOT(offspring=20), 0.3),
        (strategies.ArcKernel(candidates=30, ard=False), 0.3),
        (strategies.AutoKeras(neighbours=2, cooling=0.5), 0.5),
        (strategies.ExpectedHypervolume(candidates=30, ard=False), 0.3),
        (strategies.KernelDensity(), 0.4),
        (strategies.FreezeThaw(levels=(0.5, 1.0), candidates=30), 0.3),
        (strategies.BOHB(), 0.4),
        (strategies.OptunaSampler(), 0.5),
        (strategies.ASHA(strategies.ArcKernel(candidates=30, ard=False)), 0.3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_rejected_teaches_the_model(strategy, share):
    history = searched(strategy)
    assert history.spent == 40
    assert rejected(history) <= share * rejected(searched(strategies.Random()))


@pytest.mark.parametrize("strategy", [strategies.TPE(), strategies.ExpectedHypervolume(candidates=30, ard=False)])
def test_so_it_does_with_several_objectives(strategy):
    goal = ("min:loss", "max:parameters", LIMIT)
    history = searched(strategy, 30, goal)
    assert history.spent == 30
    assert rejected(history) <= rejected(searched(strategies.Random(), 30, goal))


def test_the_least_violation_is_improved_while_nothing_is_inside():
    seldom = "parameters <= 12"  # one architecture in 2,000
    run = aw.search(
        SPACE, strategies.ExpectedHypervolume(candidates=30, ard=False), Sized(), objectives=["min:loss", seldom]
    )
    for _ in aw.budget(run, evaluations=1):
        pass
    assert run.history.spent == 1
    assert rejected(run.history) < 60
