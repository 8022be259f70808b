import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Choice
from archwright.core.errors import ArchwrightError
from archwright.core.history import History, best_of
from archwright.core.rng import seed_for
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies.rungs import Bracket, Ranking, Rungs, is_promotion, promoted, trained

LEVELS = (1 / 9, 1 / 3, 1.0)


def made(**arguments):
    return arguments


def edges(options=5, count=6):
    return Space(made, edges=[Choice(*range(options)) for _ in range(count)])


def loss_of(trial):
    """Of the decisions, and of luck that is the smaller the higher the fidelity."""
    values = [value for _, value in trial.architecture]
    luck = seed_for(trial.architecture.decisions, trial.fidelity) / 2**63
    return sum(values) / 10 + luck * (1.0 - trial.fidelity)


class Noisy:
    """Costs its fidelity; some architectures fail, some are rejected."""

    def __init__(self, failing=0, rejecting=0, objectives=1):
        self.failing, self.rejecting, self.objectives = failing, rejecting, objectives

    def estimate(self, space, trial):
        luck = seed_for("luck", trial.architecture.decisions) % 100
        if luck < self.failing:
            return Evaluation(trial, cost=trial.fidelity, failure="bad luck")
        if luck < self.failing + self.rejecting:
            return Evaluation(trial, failure="excluded", rejected=True)
        size = float(trial.architecture.decisions[0][1])
        metrics = {"loss": loss_of(trial), "cost": -size}
        return Evaluation(trial, metrics, cost=trial.fidelity * (1.0 + (luck % 7)))


def run(strategy, evaluations, *, space=None, workers=1, seed=0, objectives="min:loss", **noisy):
    """A finished search."""
    found = aw.search(
        space or edges(),
        strategy,
        Noisy(**noisy),
        objectives=objectives,
        executor=aw.Simulated(workers),
        seed=seed,
    )
    found = aw.budget(found, evaluations=evaluations)
    for _ in found:
        pass
    return found


def note(history, trial, **answer):
    history.append(history.ask(trial), Evaluation(trial, **answer))
    return len(history) - 1


def architecture(*values):
    return aw.Architecture(tuple((f"edges[{place}]", value) for place, value in enumerate(values)))


def test_geometric_levels():
    assert Rungs.geometric(3, 1 / 81).levels == pytest.approx([1 / 81, 1 / 27, 1 / 9, 1 / 3, 1])
    assert Rungs.geometric(3, 0.02).levels == pytest.approx([1 / 27, 1 / 9, 1 / 3, 1])  # none below the lowest
    assert Rungs.geometric(2, 1.0).levels == (1.0,)
    assert Rungs.geometric(3, 0.12).levels == pytest.approx([1 / 3, 1])
    for eta in (2, 3, 4, 5, 7):
        for steps in range(8):
            assert len(Rungs.geometric(eta, 1.0 / eta**steps).levels) == steps + 1


@pytest.mark.parametrize("eta", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("digits", [3, 4, 5, 8])
def test_a_fraction_in_three_digits_or_more_is_that_fraction(eta, digits):
    for steps in range(8):
        lowest = float(f"{1.0 / eta**steps:.{digits}g}")  # rounded up or down
        assert Rungs.geometric(eta, lowest).levels == Rungs.geometric(eta, 1.0 / eta**steps).levels
    assert Rungs.geometric(3, 0.1112).levels[0] == 1 / 9
    assert Rungs.geometric(3, 0.03704).levels[0] == 1 / 27


@pytest.mark.parametrize("levels", [(0.5,), (), (0.0, 1.0), (0.5, 0.5, 1.0), (1.0, 0.5), (0.5, 1.5)])
def test_levels_that_are_none(levels):
    with pytest.raises(ArchwrightError, match="fidelities ascend"):
        Rungs(levels)


@pytest.mark.parametrize(("eta", "lowest"), [(1, 0.5), (3, 0.0), (3, 1.5)])
def test_numbers_that_make_no_levels(eta, lowest):
    with pytest.raises(ArchwrightError, match="eta > 1"):
        Rungs.geometric(eta, lowest)


@pytest.mark.parametrize("levels", [(0.06, 1.0), (4 / 108, 12 / 108, 36 / 108, 1.0), (0.1, 0.25, 0.3, 1.0)])
def test_each_rung_of_a_bracket_has_the_same_budget(levels):
    rungs = Rungs(levels)
    for bracket in (rungs.bracket(0, 1000), *(rungs.bracket(first, 5000) for first in range(len(levels)))):
        spent = [size * level for size, level in zip(bracket.sizes, bracket.levels, strict=True)]
        for level, budget in zip(bracket.levels, spent, strict=True):
            assert spent[0] - level - 1e-9 < budget <= spent[0] + 1e-9  # less than one trial is lost to rounding
    for rung in range(len(levels) - 1):
        assert rungs.kept(rung) == pytest.approx(levels[rung] / levels[rung + 1])


def test_a_ranking_of_one_objective_is_by_loss_and_of_several_by_how_many_beat_one():
    rng = np.random.default_rng(0)
    for objectives in (1, 2, 3):
        history = History([f"min:m{number}" for number in range(objectives)] + ["m0 <= 2"])
        for number in range(40):
            metrics = {f"m{place}": float(rng.integers(4)) for place in range(objectives)}
            note(history, Trial(architecture(number)), metrics=metrics)
        left = list(history.succeeded)
        beaten = {s.position: sum(other.beats(s) for other in left) for s in left}
        ranked = list(Ranking(history.succeeded))
        assert ranked[0] == best_of(left).position
        if objectives == 1:
            assert ranked == [s.position for s in sorted(left, key=lambda s: (s.violation, s.losses))]
        assert [beaten[position] for position in ranked] == sorted(beaten.values())
        assert sorted(ranked) == [s.position for s in left]


def test_a_promotion_is_told_by_its_parent():
    history = History("min:loss")
    first = note(history, Trial(architecture(1), 0.1, seed=3), metrics={"loss": 1.0})
    trial = promoted(history, first, 0.5)
    assert trial == Trial(architecture(1), 0.5, seed=3, parent=first)
    assert is_promotion(history, trial)
    assert not is_promotion(history, Trial(architecture(1), 0.1, parent=first))
    assert not is_promotion(history, Trial(architecture(2), 0.5, parent=first))
    assert not is_promotion(history, Trial(architecture(1), 0.5))


def test_what_goes_on_from_the_answer_that_its_parent_repeats_is_a_promotion_too():
    history = History("min:loss")
    first = note(history, Trial(architecture(1), 0.1), metrics={"loss": 1.0})
    twin = note(history, Trial(architecture(2), 0.1), metrics={"loss": 1.0}, reused=first)
    assert [trained(history, position) for position in (first, twin)] == [architecture(1)] * 2
    for values in (1, 2):
        assert is_promotion(history, Trial(architecture(values), 0.5, parent=twin))
    assert not is_promotion(history, Trial(architecture(2), 0.5, parent=first))
    assert not is_promotion(history, Trial(architecture(1), 0.5, seed=1, parent=twin))


def test_a_bracket_counts_its_trials():
    assert Bracket((9, 3, 1), LEVELS).trials == 13
