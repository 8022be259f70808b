import cProfile
import math

import pytest

import archwright as aw
from archwright.strategies import Hyperband
from archwright.strategies.rungs import is_promotion
from archwright.testing import check_strategy
from tests.strategies.test_rungs import edges, run
from tests.strategies.test_successive_halving import brackets_of

TABLE = {  # n_i of the paper's table 1, R = 81, eta = 3: by s
    4: (81, 27, 9, 3, 1),
    3: (34, 11, 3, 1),
    2: (15, 5, 1),
    1: (8, 2),
    0: (5,),
}


def test_the_brackets_of_the_papers_example():
    brackets = Hyperband(lowest=1 / 81).brackets
    assert [bracket.sizes for bracket in brackets] == [TABLE[s] for s in (4, 3, 2, 1, 0)]
    for s, bracket in zip((4, 3, 2, 1, 0), brackets, strict=True):
        assert bracket.levels == pytest.approx([3.0 ** (place - s) for place in range(s + 1)])


@pytest.mark.parametrize("eta", [2, 3, 4, 5])
@pytest.mark.parametrize("resource", [1, 7, 16, 27, 81, 100, 256, 300, 729])
def test_the_brackets_of_algorithm_1_in_whole_numbers(eta, resource):
    s_max = next(s for s in range(20) if eta ** (s + 1) > resource)
    wanted = []
    for s in range(s_max, -1, -1):
        starts = -(-(s_max + 1) * eta**s // (s + 1))  # the ceiling of B / R * eta^s / (s + 1), with B = (s_max + 1) R
        wanted.append(tuple(max(1, starts // eta**place) for place in range(s + 1)))
    assert [bracket.sizes for bracket in Hyperband(eta=eta, lowest=1 / resource).brackets] == wanted


@pytest.mark.parametrize("levels", [(0.06, 1.0), (4 / 108, 12 / 108, 36 / 108, 1.0), (0.1, 0.25, 0.3, 1.0)])
def test_all_brackets_have_about_the_budget_of_as_many_full_evaluations_as_there_are_rungs(levels):
    for bracket in Hyperband(levels=levels).brackets:
        budget = sum(size * level for size, level in zip(bracket.sizes, bracket.levels, strict=True))
        slack = sum(bracket.levels)  # of rounding the starts up and each rung down, by less than a trial each
        assert len(levels) - slack < budget < len(levels) + slack
        assert bracket.sizes[-1] >= 1


def test_brackets_take_turns():
    brackets = Hyperband(lowest=1 / 9).brackets
    history = run(Hyperband(lowest=1 / 9), 100, seed=2).history
    sizes = tuple(size for bracket in brackets for size in bracket.sizes)
    levels = tuple(level for bracket in brackets for level in bracket.levels)
    assert sizes == (9, 3, 1, 5, 1, 3)
    rounds = brackets_of(history, sizes, levels)
    assert len(rounds) == 4
    for rungs in rounds:
        for below, above in ((0, 1), (1, 2), (3, 4)):
            order = sorted(rungs[below], key=lambda position: history[position].metrics["loss"])
            assert [history[position].trial.parent for position in rungs[above]] == order[: len(rungs[above])]


def test_with_workers_every_promotion_is_among_the_best_of_its_complete_rung():
    history = run(Hyperband(lowest=1 / 9), 300, workers=4, failing=10, rejecting=10, seed=1).history
    position_of = {number: position for position, number in enumerate(history.numbers)}
    children = {e.trial.parent: p for p, e in enumerate(history) if is_promotion(history, e.trial)}
    checked = 0
    for bracket in Hyperband(lowest=1 / 9).brackets:
        size = bracket.sizes[0]
        starts = [
            number
            for number in range(history.asked)
            if number in position_of
            and history[position_of[number]].trial.fidelity == bracket.levels[0]
            and not history[position_of[number]].rejected
            and not is_promotion(history, history[position_of[number]].trial)
        ]
        for begin in range(0, len(starts) - 2 * size, size):  # the last ones may have been cut off
            rung = [position_of[number] for number in starts[begin : begin + size]]
            for above in bracket.sizes[1:]:
                promoted = [position for position in rung if position in children]
                good = [position for position in rung if history[position].failure is None]
                best = sorted(good, key=lambda position: history[position].metrics["loss"])[:above]
                assert set(promoted) == set(best)
                checked += len(promoted)
                rung = [children[position] for position in promoted]
    assert checked > 40


@pytest.mark.parametrize(
    "of",
    [
        aw.strategies.RegularizedEvolution(population=10, sample=3),
        aw.strategies.BANANAS(initial=5, candidates=20, members=2, layers=1, epochs=5),
        aw.strategies.TPE(initial=5, candidates=8),
        aw.strategies.Reinforce(hidden=8),
    ],
    ids=lambda of: type(of).__name__,
)
def test_any_sampler_fits_inside(of):
    check_strategy(Hyperband(of, lowest=1 / 3, enough=4), evaluations=16)


def test_it_keeps_its_promises():
    check_strategy(Hyperband(lowest=1 / 9))
    check_strategy(aw.strategies.SuccessiveHalving(lowest=1 / 9))


def test_evolution_inside_learns_from_one_fidelity_and_names_parents_of_it():
    of = aw.strategies.RegularizedEvolution(population=12, sample=6)
    history = run(Hyperband(of, lowest=1 / 9, enough=12), 400, seed=3).history
    starts = [e for e in history if not is_promotion(history, e.trial)]
    born = [e for e in starts if e.trial.parent is not None]
    assert len(born) > len(starts) / 2
    fidelities = [history[e.trial.parent].trial.fidelity for e in born]
    assert fidelities == sorted(fidelities)  # the lowest first, then ever higher ones
    assert fidelities[-1] == 1.0
    drawn = run(Hyperband(lowest=1 / 9), 400, seed=3).history

    def true(history):
        values = [sum(value for _, value in e.trial.architecture) for e in history if e.trial.fidelity == 1.0]
        return sum(sorted(values)[:10])

    assert true(history) < true(drawn)


@pytest.mark.parametrize("stop", [3, 14, 30])
def test_a_stopped_run_resumes_as_if_it_had_not_stopped(tmp_path, stop):
    def searched():
        strategy = Hyperband(aw.strategies.RegularizedEvolution(population=10, sample=3), lowest=1 / 9, enough=8)
        search = aw.search(aw.spaces.chain(), strategy, Lengths(), objectives="min:loss", seed=4)
        return aw.budget(search, evaluations=60)

    whole = list(searched())
    with aw.record(searched(), tmp_path / "run") as first:
        for _ in range(stop):
            next(first)
    second = aw.record(searched(), tmp_path / "run")
    list(second)
    assert list(second.history) == whole


class Lengths:
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": math.sin(len(trial.architecture)) + trial.fidelity}, cost=trial.fidelity)


def test_a_proposal_late_in_a_search_costs_about_what_an_early_one_does():
    def calls(evaluations):
        """Of functions, which is what time goes into, and doesn't depend on the machine."""
        profile = cProfile.Profile()
        found = profile.runcall(run, Hyperband(lowest=1 / 81), evaluations, space=edges(8, 8))
        assert found.history.spent == evaluations
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(3000) < 4 * calls(1000)
