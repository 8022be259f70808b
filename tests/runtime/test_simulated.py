"""Simulated time against event simulations made by hand."""

import numpy as np
import pytest

import archwright as aw


def nothing(n):
    """Never built."""


SPACE = aw.Space(nothing, n=aw.Choice(*range(200)))


class Priced:
    """Architecture n costs costs[n] seconds; every seventh fails, and costs as much."""

    def __init__(self, costs):
        self.costs = costs

    def estimate(self, space, trial):
        n = trial.architecture["n"]
        return aw.Evaluation(trial, {"loss": float(n)}, cost=self.costs[n], failure="unlucky" if n % 7 == 6 else None)


@pytest.fixture(params=[0, 1, 2])
def costs(request):
    return np.random.default_rng(request.param).exponential(100.0, size=200).tolist()


def started(costs, workers, **options):
    return aw.search(
        SPACE,
        options.pop("strategy", aw.strategies.Exhaustive()),
        Priced(costs),
        objectives="min:loss",
        executor=aw.Simulated(workers),
        **options,
    )


def by_hand(costs, workers):
    """(end, number), in the order of arrival: whoever is free first takes the next."""
    free, ends = [0.0] * workers, []
    for number, cost in enumerate(costs):
        first = free.index(min(free))
        free[first] += cost
        ends.append((free[first], number))
    return sorted(ends)


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_results_arrive_in_the_order_that_costs_imply(costs, workers):
    search = started(costs, workers)
    seen = [(search.elapsed, evaluation.trial.architecture["n"]) for evaluation in search]
    wanted = by_hand(costs, workers)
    assert [number for _, number in seen] == [number for _, number in wanted]
    assert [end for end, _ in seen] == pytest.approx([end for end, _ in wanted])
    assert search.elapsed == pytest.approx(wanted[-1][0])


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("minutes", [0.01, 10, 33.3, 60])
def test_minutes_bound_simulated_minutes(costs, workers, minutes):
    """What would end later is abandoned, and its time is part of the budget."""
    search = aw.budget(started(costs, workers), minutes=minutes)
    seen = [evaluation.trial.architecture["n"] for evaluation in search]
    wanted = [number for end, number in by_hand(costs, workers) if end <= minutes * 60]
    assert seen == wanted
    assert search.elapsed == pytest.approx(minutes * 60)
    assert search.ended == f"the budget of {minutes:g} minutes is spent"
    assert len(search.history.pending) <= workers


def test_a_strategy_knows_what_has_arrived_and_what_has_not():
    """Two workers, costs 3 and 1: when the second is done the first is still pending, and so on."""
    log = []

    class Notes:
        def propose(self, space, history, rng):
            pending = [trial.architecture["n"] for trial in history.pending.values()]
            log.append(([item.trial.architecture["n"] for item in history], pending))
            return aw.Trial(aw.Architecture((("n", history.asked),)))

    search = aw.budget(started([3.0, 1.0, 1.0, 5.0], 2, strategy=Notes()), evaluations=4)
    assert [evaluation.trial.architecture["n"] for evaluation in search] == [1, 2, 0, 3]
    assert log == [([], []), ([], [0]), ([1], [0]), ([1, 2], [0])]


def test_workers_may_serve_one_search_after_another(costs):
    """What the first left under way is forgotten; the clock goes on, and a search counts from its own beginning."""
    workers, seen = aw.Simulated(3), []
    for _ in range(2):
        search = aw.search(SPACE, aw.strategies.Exhaustive(), Priced(costs), objectives="min:loss", executor=workers)
        found = [item.trial.architecture["n"] for item in aw.budget(search, minutes=33.3)]
        assert search.history.pending
        seen.append(found)
        assert search.elapsed == pytest.approx(33.3 * 60)
    assert seen[0] == seen[1]
    assert workers.clock() == pytest.approx(2 * 33.3 * 60)


def test_equal_costs_arrive_in_the_order_of_asking():
    search = started([2.0] * 200, 4)
    assert [evaluation.trial.architecture["n"] for evaluation in search] == list(range(200))


def test_answers_that_cost_nothing():
    search = aw.budget(started([0.0] * 200, 3), minutes=1)
    assert len(list(search)) == 200
    assert (search.elapsed, search.ended) == (0.0, "the strategy has nothing left to ask")


def test_repetitions_take_no_time(costs):
    search = aw.budget(started(costs, 2, strategy=aw.strategies.Random(), seed=3), evaluations=100)
    evaluations = list(search)
    reused = [evaluation for evaluation in evaluations if evaluation.reused is not None]
    assert reused
    assert all(evaluation.cost == 0 for evaluation in reused)
    assert sum(evaluation.cost for evaluation in evaluations) <= 2 * search.elapsed + 1e-6


@pytest.mark.parametrize("stop", [1, 7, 25])
def test_a_stopped_run_resumes_as_if_it_had_not_stopped(costs, tmp_path, stop):
    evolution = aw.strategies.RegularizedEvolution(8, 3)
    whole = aw.budget(started(costs, 1, strategy=evolution, seed=5), minutes=60)
    wanted = list(whole)

    first = aw.record(aw.budget(started(costs, 1, strategy=evolution, seed=5), minutes=60), tmp_path / "run")
    with first:
        for _ in range(stop):
            next(first)
    second = aw.record(aw.budget(started(costs, 1, strategy=evolution, seed=5), minutes=60), tmp_path / "run")
    list(second)
    assert list(second.history) == wanted
    assert second.elapsed == pytest.approx(whole.elapsed)
    assert second.ended == whole.ended


def test_a_stopped_run_with_workers_asks_again_what_was_pending(costs, tmp_path):
    evolution = aw.strategies.RegularizedEvolution(8, 3)

    def search():
        return aw.budget(started(costs, 4, strategy=evolution, seed=5), evaluations=60)

    with aw.record(search(), tmp_path / "run") as first:
        for _ in range(20):
            next(first)
        pending = list(first.history.pending.values())
        elapsed = first.elapsed
    assert pending
    second = aw.record(search(), tmp_path / "run")
    again = [evaluation.trial for evaluation in second]
    assert set(pending) <= set(again)
    assert second.history.spent == 60
    assert second.elapsed > elapsed


def test_a_run_on_a_benchmark_resumes_from_its_manifest(bench_data, tmp_path):
    benchmark = aw.benchmarks.nasbench201(data=bench_data)

    def search():
        evolution = aw.strategies.RegularizedEvolution(10, 3)
        executor = aw.Simulated()
        made = aw.search(
            benchmark.space, evolution, benchmark.estimator, objectives=benchmark.objective, executor=executor
        )
        return aw.budget(made, minutes=100)

    wanted = list(search())
    with aw.record(search(), tmp_path / "run") as first:
        for _ in range(20):
            next(first)
    again = aw.resume(tmp_path / "run", executor=aw.Simulated())
    list(again)
    assert list(again.history) == wanted
