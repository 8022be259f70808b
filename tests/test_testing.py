"""The contract checks find what they are there to find."""

import importlib
import random
import sys

import numpy as np
import pytest

import archwright as aw
from archwright.spaces import mutate, sample
from archwright.supernets.bilevel import first_order
from archwright.testing import ContractError, check_estimator, check_relaxation, check_space, check_strategy


class Base:
    def propose(self, space, history, rng):
        return aw.Trial(sample(space, rng))


class UsesGlobalRandomness(Base):
    def propose(self, space, history, rng):
        np.random.random()
        return super().propose(space, history, rng)


class IgnoresItsRng(Base):
    def propose(self, space, history, rng):
        return aw.Trial(sample(space, np.random.default_rng()))


class RemembersWhatNobodyToldIt(Base):
    """Keeps the last proposal beside the history."""

    def __init__(self):
        self.last = None

    def propose(self, space, history, rng):
        start = self.last if self.last is not None and len(history) % 2 else sample(space, rng)
        known = {name for name, _ in start}
        self.last = (
            sample(space, rng) if known != {name for name, _ in sample(space, rng)} else mutate(space, start, rng)
        )
        return aw.Trial(self.last)


class DependsOnTheProcess(Base):
    """Texts' hashes, and with them the order of sets, differ from process to process."""

    def propose(self, space, history, rng):
        return aw.Trial(sample(space, np.random.default_rng([hash("some words") % 2**32, history.asked])))


class TripsOverFailures(Base):
    def propose(self, space, history, rng):
        for evaluation in history:
            evaluation.metrics["loss"]
        return super().propose(space, history, rng)


class WantsAnswersInOrder(Base):
    def propose(self, space, history, rng):
        assert len(history.pending) == 0, "one at a time, please"
        return super().propose(space, history, rng)


class WritesHistory(Base):
    def propose(self, space, history, rng):
        history.ask(aw.Trial(sample(space, rng)))
        return super().propose(space, history, rng)


class LeavesTheSpace(Base):
    def propose(self, space, history, rng):
        return aw.Trial(aw.Architecture((("nowhere", 0),)))


def test_a_good_strategy_passes():
    check_strategy(Base())


@pytest.mark.parametrize(
    "broken",
    [
        UsesGlobalRandomness, IgnoresItsRng, RemembersWhatNobodyToldIt, DependsOnTheProcess, TripsOverFailures,
        WantsAnswersInOrder, WritesHistory, LeavesTheSpace,
    ],
)  # fmt: skip
def test_broken_strategies_are_found(broken):
    with pytest.raises((ContractError, AssertionError, KeyError)):
        check_strategy(broken())


class Answers:
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": 1.0})


class SeesTheTest(Answers):
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": 1.0, "test_loss": 1.0})


class AnswersAnother(Answers):
    def estimate(self, space, trial):
        return aw.Evaluation(aw.Trial(trial.architecture, seed=99), {"loss": 1.0})


class NeverTheSame(Answers):
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": random.SystemRandom().random()})


class SeedsTheWorld(Answers):
    def estimate(self, space, trial):
        random.seed(trial.seed)
        return aw.Evaluation(trial, {"loss": 1.0})


class IsNoNumber(Answers):
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": float("inf")})


SPACE = aw.Space(dict, a=aw.Choice(1, 2, 3))


def test_a_good_estimator_passes():
    check_estimator(Answers(), SPACE)


@pytest.mark.parametrize("broken", [SeesTheTest, AnswersAnother, NeverTheSame, SeedsTheWorld, IsNoNumber])
def test_broken_estimators_are_found(broken):
    with pytest.raises(ContractError):
        check_estimator(broken(), SPACE)


class Imports(Answers):
    def estimate(self, space, trial):
        importlib.import_module("draws_when_imported")
        return super().estimate(space, trial)


def test_what_is_imported_first_may_draw(tmp_path, monkeypatch):
    (tmp_path / "draws_when_imported.py").write_text("import random\nrandom.random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    state = random.getstate()
    check_estimator(Imports(), SPACE)
    assert "draws_when_imported" in sys.modules
    assert random.getstate() == state


class Relaxes:
    """DARTS, to be broken."""

    def relax(self, network):
        self.relaxation = aw.strategies.DARTS(learning_rate=0.02).relax(network)
        return self.relaxation


class ClimbsTheLoss(Relaxes):
    def relax(self, network):
        relaxation = super().relax(network)
        relaxation._gradient = lambda *asked: [-gradient for gradient in first_order(*asked)]
        return relaxation


class NeverLearns(Relaxes):
    def relax(self, network):
        super().relax(network).learn = lambda step: None
        return self.relaxation


class KeepsNoState(Relaxes):
    def relax(self, network):
        relaxation = super().relax(network)
        relaxation.state, relaxation.load_state = dict, lambda state: None
        return relaxation


class ForgetsAnOptimizer(Relaxes):
    def relax(self, network):
        relaxation = super().relax(network)
        relaxation.load_state = lambda state: relaxation.load_state_dict(state["parameters"])
        return relaxation


class LeavesAChoiceOut(Relaxes):
    def relax(self, network):
        relaxation = super().relax(network)
        relaxation.probabilities = lambda: {
            name: row for name, row in type(relaxation).probabilities(relaxation).items() if name != "ops[1]"
        }
        relaxation.architecture = lambda: sample(network.space, np.random.default_rng(0))
        return relaxation


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (ClimbsTheLoss, "should hand their input on"),
        (NeverLearns, "should hand their input on"),
        (KeepsNoState, "interrupted"),
        (ForgetsAnOptimizer, "interrupted"),
        (LeavesAChoiceOut, "distributions are over"),
    ],
)
def test_broken_relaxations_are_found(broken, promise):
    with pytest.raises(ContractError, match=promise):
        check_relaxation(broken())


def test_a_space_that_forgets_is_found():
    class Forgetful(aw.Space):
        calls = 0

        def walk(self, decide):
            Forgetful.calls += 1
            name = "a" if Forgetful.calls % 5 else "b"
            return {"a": decide(name, self.choices["a"])}

    with pytest.raises((ContractError, KeyError)):
        check_space(Forgetful(dict, a=aw.Choice(1, 2, 3)), samples=50)


def test_a_network_of_the_wrong_shape_is_found():
    from torch import nn

    def wrong(signature, n):
        return nn.Sequential(nn.Flatten(), nn.Linear(16, n))

    with pytest.raises(ContractError, match="it returns"):
        check_space(aw.Space(wrong, n=aw.Choice(3, 4)), (aw.Signature((1, 4, 4), 3),), samples=10)
