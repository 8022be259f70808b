from itertools import permutations

import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Choice, Integer, Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies.dehb import DEHB, _decoded, _unit

LEVELS = (1 / 9, 1 / 3, 1.0)
SIZES = {1 / 9: 9, 1 / 3: 5, 1.0: 3}
"""Of the populations: Hyperband's brackets for R = 9 and eta = 3 are (9, 3, 1), (5, 1) and (3)."""


def made(**arguments):
    return arguments


def numbers():
    return Space(made, x=Real(0.0, 1.0), y=Real(0.0, 1.0), z=Real(0.0, 1.0))


class Valley:
    """Lower fidelities are a little off."""

    def estimate(self, space, trial):
        away = sum((value - 0.2 - 0.1 * (1.0 - trial.fidelity)) ** 2 for _, value in trial.architecture)
        return Evaluation(trial, {"loss": away}, cost=60 * trial.fidelity)


def searched(strategy, space, seed=0, evaluations=90, workers=1):
    run = aw.search(space, strategy, Valley(), objectives="min:loss", executor=aw.Simulated(workers), seed=seed)
    list(aw.budget(run, evaluations=evaluations))
    return run.history


@pytest.fixture(scope="module")
def history():
    return searched(DEHB(), numbers())


def test_trials_follow_hyperbands_brackets(history):
    levels = [evaluation.trial.fidelity for evaluation in history]
    low, middle, full = LEVELS
    turn = [low] * 9 + [middle] * 3 + [full] + [middle] * 5 + [full] + [full] * 3
    assert levels == (turn * 5)[: len(levels)]


def test_the_first_turn_promotes_the_best_that_is_not_there_yet(history):
    turn = [evaluation.trial for evaluation in history[:22]]
    loss = {place: scored.losses[0] for place, scored in enumerate(history.succeeded)}
    assert [trial.parent for trial in turn[9:12]] == sorted(range(9), key=loss.__getitem__)[:3]
    assert turn[12].parent == min(range(9, 12), key=loss.__getitem__)
    present = {turn[12].architecture}
    middle = sorted((*range(9, 12), *range(13, 18)), key=loss.__getitem__)
    members = [place for place in middle if turn[place].architecture not in present]
    assert turn[18].architecture == turn[next(iter(members))].architecture
    assert turn[18].fidelity == 1.0


def test_children_take_the_place_of_targets_that_are_no_better(history):
    """The populations, kept by hand: a place each, in turn; children name as parent who holds it."""
    places = {level: [] for level in LEVELS}
    asked = dict.fromkeys(LEVELS, 0)
    for position, evaluation in enumerate(history):
        level = evaluation.trial.fidelity
        held, turn = places[level], asked[level] % SIZES[level]
        asked[level] += 1
        if turn >= len(held):
            held.append(position)
            continue
        if position >= 22:
            assert evaluation.trial.parent == held[turn]
        if evaluation.trial.parent == held[turn] and evaluation.metrics["loss"] <= history[held[turn]].metrics["loss"]:
            held[turn] = position
    assert {level: len(held) for level, held in places.items()} == SIZES


def history_of(points, levels):
    history = History("min:loss")
    for place, (point, level) in enumerate(zip(points, levels, strict=True)):
        trial = Trial(aw.Architecture(tuple(zip("xyz", point, strict=True))), level)
        history.append(history.ask(trial), Evaluation(trial, {"loss": float(place)}))
    return history


def test_a_mutant_is_one_member_and_half_the_difference_of_two_others():
    """With a crossover of 1 the child is the mutant; the population below has two members, so that others join them."""
    points = np.random.default_rng(0).uniform(0.3, 0.7, size=(9, 3))
    strategy = DEHB(eta=2, lowest=0.5, crossover=1.0)
    assert [bracket.sizes for bracket in strategy.rungs.brackets()] == [(2, 1), (2,)]
    history = history_of(points, (0.5, 0.5, 1.0, 1.0, 1.0, 0.5, 0.5, 1.0, 1.0))
    members = points[[0, 1, 2, 3]]
    mutants = np.array([a + 0.5 * (b - c) for a, b, c in permutations(members, 3)])
    seen = set()
    for number in range(40):
        trial = strategy.propose(numbers(), history, Streams(number)[len(history)])
        child = [value for _, value in trial.architecture]
        nearest = np.abs(mutants - child).max(axis=1)
        assert nearest.min() < 1e-12
        seen.add(int(nearest.argmin()))
    assert len(seen) > 5


def test_without_crossover_one_decision_is_the_mutants(history):
    strategy = DEHB(crossover=0.0)
    for number in range(20):
        trial = strategy.propose(numbers(), history, Streams(number)[history.asked])
        target = history[trial.parent].trial.architecture
        assert sum(target[name] != value for name, value in trial.architecture) == 1


@pytest.mark.parametrize(
    "choice",
    [Choice(*"abcde"), Choice("a"), Integer(2, 9), Integer(1, 64, log=True), Real(-1.0, 3.0), Real(1e-4, 1.0, True)],
)
def test_what_a_member_decided_is_what_its_vector_says(choice):
    if isinstance(choice, Choice):
        values = range(len(choice.options))
    else:
        values = range(choice.low, choice.high + 1) if isinstance(choice, Integer) else (choice.low, 0.3, choice.high)
    for value in values:
        history = History("min:loss")
        for _ in range(20):
            trial = Trial(aw.Architecture((("x", value),)))
            history.append(history.ask(trial), Evaluation(trial, {"loss": 0.0}))
        units = [_unit(scored, "x", choice) for scored in history.succeeded]
        assert all(0.0 <= unit <= 1.0 for unit in units)
        assert [_decoded(choice, unit) for unit in units] == pytest.approx([value] * 20)
        assert (len(set(units)) == 1) == isinstance(choice, Real)  # somewhere in an option's share


def test_a_decision_that_a_member_does_not_make_has_a_place_too():
    history = history_of(np.full((200, 3), 0.5), [1.0] * 200)
    units = [_unit(scored, "not made", Choice("a", "b")) for scored in history.succeeded]
    assert 0.4 < np.mean(units) < 0.6
    assert np.std(units) == pytest.approx(np.sqrt(1 / 12), rel=0.15)


def test_rejections_and_failures_leave_a_place_free():
    class Fussy(Valley):
        def estimate(self, space, trial):
            number = round(trial.architecture["x"] * 1e6)
            if number % 3 == 0:
                return Evaluation(trial, failure="it is a multiple of three", rejected=number % 2 == 0)
            return super().estimate(space, trial)

    run = aw.search(numbers(), DEHB(), Fussy(), objectives="min:loss", seed=3)
    list(aw.budget(run, evaluations=66))
    levels = [evaluation.trial.fidelity for evaluation in run.history if not evaluation.rejected]
    assert [levels.count(level) for level in LEVELS] == [27, 24, 15]
    assert any(evaluation.rejected for evaluation in run.history)


def test_several_workers_never_wait_and_keep_the_brackets():
    history = searched(DEHB(), numbers(), workers=4)
    asked = sorted(range(len(history)), key=history.numbers.__getitem__)
    levels = [history[position].trial.fidelity for position in asked]
    one = [evaluation.trial.fidelity for evaluation in searched(DEHB(), numbers())]
    assert levels[:80] == one[:80]


def test_it_finds_the_valley_better_than_random_search():
    found = [searched(DEHB(), numbers(), seed, evaluations=150).best.losses[0] for seed in range(4)]
    drawn = [searched(aw.strategies.Random(), numbers(), seed, evaluations=50).best.losses[0] for seed in range(4)]
    assert np.mean(found) < np.mean(drawn) / 2


def test_of_few_options_no_question_is_asked_twice():
    space = Space(made, edges=[Choice(*range(4)) for _ in range(4)])
    history = searched(DEHB(), space, evaluations=120)
    questions = [(evaluation.trial.architecture, evaluation.trial.fidelity) for evaluation in history]
    assert len(set(questions)) > 0.9 * len(questions)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"levels": (0.5, 0.2, 1.0)}, "ascend"),
        ({"factor": 0.0}, "a factor in"),
        ({"crossover": 1.2}, "a crossover within 0 and 1"),
    ],
)
def test_mistakes(arguments, complaint):
    with pytest.raises(aw.ArchwrightError, match=complaint):
        DEHB(**arguments)
