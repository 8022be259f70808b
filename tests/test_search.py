"""The loop between the boxes, with estimators that answer at once."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import pytest

import archwright as aw
from archwright.core.history import History
from archwright.core.protocols import Strategy
from archwright.search import STALE, Budget
from archwright.strategies import Exhaustive, LocalSearch, Random, RegularizedEvolution


def nothing(**arguments):
    return arguments


SPACE = aw.Space(nothing, edges=[aw.Choice(*range(5)) for _ in range(6)])


class Distance:
    """How far the decisions are from all threes; deterministic and quick."""

    def __init__(self):
        self.asked = []

    def estimate(self, space, trial):
        self.asked.append(trial)
        loss = float(sum(abs(value - 3) for _, value in trial.architecture))
        return aw.Evaluation(trial, {"loss": loss, "epochs": 2.0}, cost=0.5)


class Failing:
    def __init__(self, error):
        self.error = error

    def estimate(self, space, trial):
        raise self.error


def run(strategy=None, estimator=None, wanted="min:loss", **limits):
    started = aw.search(SPACE, strategy or Random(), estimator or Distance(), objectives=wanted, seed=1)
    return aw.budget(started, **limits)


def test_a_search_is_an_iterator_and_stops_at_its_budget():
    started = run(evaluations=7)
    assert len(list(started)) == 7
    assert "7 evaluations" in started.ended


def test_the_same_seed_gives_the_same_search():
    for strategy in (Random, lambda: RegularizedEvolution(10, 3), LocalSearch):
        first, again = (list(run(strategy(), evaluations=60)) for _ in range(2))
        assert first == again
    assert list(run(evaluations=5)) != list(
        aw.budget(aw.search(SPACE, Random(), Distance(), objectives="min:loss", seed=2), evaluations=5)
    )


def test_a_budget_in_epochs_counts_what_was_trained():
    assert len(list(run(evaluations=100, epochs=9))) == 5


def test_a_budget_in_minutes_is_checked_against_the_clock():
    started = run(minutes=1)
    now = iter(range(0, 10_000, 7))
    started.clock = lambda: float(next(now))
    done = list(started)
    assert 1 <= len(done) < 9
    assert "1 minutes" in started.ended


@pytest.mark.parametrize("limits", [{"evaluations": 0}, {"minutes": -1}, {"epochs": float("nan")}])
def test_budgets_that_cannot_be(limits):
    with pytest.raises(aw.ArchwrightError, match="more than 0"):
        Budget(**limits)


def test_nothing_is_evaluated_twice_and_the_repetition_is_visible():
    space = aw.Space(nothing, a=aw.Choice(0, 1), b=aw.Choice(0, 1))
    estimator = Distance()
    started = aw.search(space, Random(), estimator, objectives="min:loss", seed=0)
    done = list(started)
    assert len(estimator.asked) == 4
    repeated = [evaluation for evaluation in done if evaluation.reused is not None]
    assert len(repeated) == len(done) - 4
    for evaluation in repeated:
        original = done[evaluation.reused]
        assert original.reused is None
        assert evaluation.metrics == original.metrics
        assert evaluation.cost == 0.0
    assert f"last {STALE:,} proposals" in started.ended
    assert started.history.spent == 4


def test_equal_keys_are_one_question_but_other_fidelities_and_seeds_are_not():
    space = aw.spaces.nasbench201()
    null, dead = (dict.fromkeys((f"edges[{i}]" for i in range(6)), 0) for _ in range(2))
    dead["edges[0]"] = 3  # a convolution that reaches no output
    asked = [(null, 1.0, 0), (dead, 1.0, 0), (null, 0.5, 0), (null, 1.0, 1)]

    class Scripted:
        def propose(self, space, history, rng):
            if history.asked == len(asked):
                return None
            decisions, fidelity, seed = asked[history.asked]
            return aw.Trial(aw.Architecture.from_json(decisions), fidelity, seed)

    estimator = Distance()
    done = list(aw.search(space, Scripted(), estimator, objectives="min:loss"))
    assert [evaluation.reused for evaluation in done] == [None, 0, None, None]


def test_exhaustive_search_asks_everything_once_and_ends():
    estimator = Distance()
    space = aw.Space(nothing, a=aw.Choice(0, 1, 2), b=aw.Choice(0, 1))
    started = aw.search(space, Exhaustive(), estimator, objectives="min:loss")
    assert len(list(started)) == len({trial.architecture for trial in estimator.asked}) == 6
    assert "nothing left" in started.ended


def test_local_search_climbs_to_the_top_of_a_hill():
    started = run(LocalSearch(), evaluations=150)
    list(started)
    assert started.history.best.losses == (0.0,)


def test_evolution_beats_random_search_where_there_is_something_to_follow():
    best = {}
    for name, make in (("random", Random), ("evolution", lambda: RegularizedEvolution(20, 5))):
        losses = []
        for seed in range(10):
            found = aw.budget(aw.search(SPACE, make(), Distance(), objectives="min:loss", seed=seed), evaluations=120)
            list(found)
            losses.append(found.history.best.losses[0])
        best[name] = sum(losses) / len(losses)
    assert best["evolution"] < best["random"]


def test_the_population_of_aging_evolution_is_the_youngest():
    """Against the paper's algorithm 1 written out with an explicit queue."""
    strategy, history, streams = RegularizedEvolution(5, 2), History("min:loss"), aw.search.__globals__["Streams"](3)
    estimator, population = Distance(), []
    for _ in range(40):
        trial = strategy.propose(SPACE, history, streams[history.asked])
        if len(population) == 5:
            parents = [member.as_dict() for member in population]
            child = trial.architecture.as_dict()
            assert any(sum(child[name] != parent[name] for name in child) == 1 for parent in parents)
        number = history.ask(trial)
        history.append(number, estimator.estimate(SPACE, trial))
        population = [*population, trial.architecture][-5:]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no such\nkernel"), "ValueError: no such"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
        (aw.ArchwrightError("plain words"), "plain words"),
    ],
)
def test_a_candidate_that_raises_is_a_failed_evaluation(error, words):
    done = list(run(estimator=Failing(error), evaluations=3))
    assert len(done) == 3
    assert all(evaluation.failure.startswith(words) and "\n" not in evaluation.failure for evaluation in done)
    assert done[0].metrics == {}


def test_a_metric_that_is_no_number_is_a_failure():
    class Diverging(Distance):
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": float("nan")})

    done = list(run(estimator=Diverging(), evaluations=2))
    assert [evaluation.failure for evaluation in done] == ["loss is nan", "loss is nan"]


def test_an_interrupt_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        list(run(estimator=Failing(KeyboardInterrupt()), evaluations=2))


def test_constraints_exclude_before_anything_is_spent():
    class Careful(Distance):
        def preflight(self, space, trial):
            return {"parameters": float(sum(value for _, value in trial.architecture))}

        def estimate(self, space, trial):
            answer = super().estimate(space, trial)
            return aw.Evaluation(trial, {**answer.metrics, **self.preflight(space, trial)}, cost=1.0)

    estimator = Careful()
    done = list(run(estimator=estimator, wanted=["min:loss", "parameters <= 12"], evaluations=20))
    rejected = [evaluation for evaluation in done if evaluation.rejected]
    assert len(estimator.asked) == 20  # rejections do not count
    assert rejected
    assert all("excluded by parameters <= 12" in evaluation.failure for evaluation in rejected)
    assert all(sum(value for _, value in trial.architecture) <= 12 for trial in estimator.asked)


def test_impossible_constraints_end_the_search_and_say_so():
    class Careful(Distance):
        def preflight(self, space, trial):
            return {"parameters": 5.0}

    started = run(estimator=Careful(), wanted=["min:loss", "parameters <= 1"], minutes=60)
    assert len(list(started)) == STALE
    assert "parameters is 5" in started.ended


def test_an_objective_that_the_estimator_does_not_measure_is_refused_at_once():
    class Measured(Distance):
        metrics = frozenset({"loss", "valid_accuracy"})

    with pytest.raises(aw.core.objective.BadObjective, match="did you mean valid_accuracy"):
        run(estimator=Measured(), wanted="max:valid_acuracy")


def test_any_standard_executor_runs_trials_and_equal_pending_questions_are_asked_once():
    space = aw.Space(nothing, only=aw.Choice(1, 2))
    lock, active, peak, asked = threading.Lock(), 0, 0, 0

    class Slow:
        def estimate(self, space, trial):
            nonlocal active, peak, asked
            with lock:
                active, asked = active + 1, asked + 1
                peak = max(peak, active)
            time.sleep(0.05)
            with lock:
                active -= 1
            return aw.Evaluation(trial, {"loss": 1.0})

    class Pool(ThreadPoolExecutor):
        workers = 2

    started = aw.search(space, Random(), Slow(), objectives="min:loss", executor=Pool(2), seed=0)
    done = list(started)
    assert peak == 2
    assert asked == 2
    assert sum(evaluation.reused is None for evaluation in done) == 2
    assert not started.history.pending


def test_results_may_arrive_in_any_order():
    class Uneven(Distance):
        def estimate(self, space, trial):
            time.sleep(0.02 * (trial.architecture.decisions[0][1] % 3))
            return super().estimate(space, trial)

    class Pool(ThreadPoolExecutor):
        workers = 3

    for strategy in (RegularizedEvolution(5, 2), LocalSearch()):
        started = aw.search(SPACE, strategy, Uneven(), objectives="min:loss", executor=Pool(3), seed=0)
        assert len(list(aw.budget(started, evaluations=25))) >= 25


def test_to_stop_is_to_cease_iterating():
    estimator = Distance()
    started = run(estimator=estimator)
    closed = []
    started.closing.append(lambda: closed.append(True))
    seen = [next(started) for _ in range(3)]
    started.close()
    assert [evaluation.trial for evaluation in seen] == estimator.asked
    assert closed == [True]


def test_strategies_satisfy_the_protocol():
    for strategy in (Random(), Exhaustive(), LocalSearch(), RegularizedEvolution()):
        checked: Strategy = strategy
        assert checked.propose


def test_sizes_of_evolution_that_cannot_be():
    with pytest.raises(aw.ArchwrightError, match="sample <= population"):
        RegularizedEvolution(5, 6)


def test_numbers_of_numpy_and_torch_become_pythons_own():
    import numpy as np
    import torch

    class Arrays(Distance):
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": np.float32(0.5), "n": np.int64(3)}, curve=(torch.tensor(1.0),))

    (done,) = run(estimator=Arrays(), evaluations=1)
    assert [type(value) for value in (*done.metrics.values(), *done.curve, done.cost)] == [float] * 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"cost": float("nan")}, "its cost is nan: a cost is seconds, a number of at least 0"),
        ({"cost": float("inf")}, "its cost is inf"),
        ({"cost": -1.0}, "its cost is -1.0"),
        ({"cost": float("nan"), "failure": "broken"}, "broken"),
    ],
)
def test_a_cost_that_can_not_be_is_a_failure(answer, words, tmp_path):
    class Priced:
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": 1.0}, **answer)

    (done,) = aw.record(run(estimator=Priced(), evaluations=1), tmp_path)
    assert done.failure.startswith(words)
    assert done.cost == 0.0
    assert list(aw.load(tmp_path).history) == [done]


def test_a_failure_that_names_what_is_no_text_is_written_with_escapes(tmp_path):
    (done,) = aw.record(run(estimator=Failing(OSError("no file \udcff")), evaluations=1), tmp_path)
    assert "no file \\udcff" in done.failure
    assert list(aw.load(tmp_path).history) == [done]


def test_the_time_of_a_search_stands_still_when_it_has_ended():
    ended, stopped = run(evaluations=3), run(evaluations=3)
    list(ended)
    next(stopped)
    stopped.close()
    for search in (ended, stopped):
        search.clock = lambda: time.monotonic() + 1000.0
        assert 0.0 < search.elapsed < 1000.0
        search.close()
        assert 0.0 < search.elapsed < 1000.0


def test_a_graph_of_the_users_own_that_fails_does_not_end_the_search():
    class Fragile:
        def __init__(self, signature, n):
            raise ValueError("no such network")

        @staticmethod
        def graph(n):
            raise ValueError("no such graph")

    class Builds:
        def estimate(self, space, trial):
            return space.build(trial.architecture, aw.Signature((1,), 1))

    space = aw.Space(Fragile, n=aw.Choice(1, 2))
    started = aw.search(space, Exhaustive(), Builds(), objectives="min:loss")
    assert next(evaluation.failure for evaluation in started).startswith("ValueError: no such network")


def test_an_exhaustive_search_is_whole_under_constraints_and_after_other_evaluations():
    class Careful(Distance):
        def preflight(self, space, trial):
            return {"parameters": float(trial.architecture.decisions[0][1])}

        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": 1.0, **self.preflight(space, trial)})

    space = aw.Space(nothing, first=aw.Choice(*range(3)), rest=[aw.Choice(*range(6)) for _ in range(4)])
    first = list(aw.budget(aw.search(space, Random(), Careful(), objectives="min:loss", seed=5), evaluations=10))
    wanted = ["min:loss", "parameters >= 2"]  # the first 2,592 of 3,888 are excluded
    started = aw.search(space, Exhaustive(), Careful(), objectives=wanted, history=first)
    list(started)
    assert len({evaluation.trial.architecture for evaluation in started.history}) == 3 * 6**4
    assert len(started.history) == 3 * 6**4


def test_what_one_search_excluded_another_may_ask():
    class Careful(Distance):
        def preflight(self, space, trial):
            return {"parameters": 5.0}

        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"loss": 1.0, "parameters": 5.0})

    space = aw.Space(nothing, a=aw.Choice(0, 1))
    strict = list(aw.search(space, Exhaustive(), Careful(), objectives=["min:loss", "parameters <= 1"]))
    assert all(evaluation.rejected for evaluation in strict)
    lax = aw.search(space, Random(), Careful(), objectives=["min:loss", "parameters <= 9"], history=strict)
    assert next(lax).failure is None
    lax.close()


def repeating(evaluations=60):
    """The evaluations of an evolution that repeats itself, and its space."""
    space = aw.Space(nothing, edges=[aw.Choice(*range(3)) for _ in range(3)])
    run = aw.search(space, RegularizedEvolution(8, 3), Distance(), objectives="min:loss", seed=1)
    return space, list(islice(run, evaluations))


def begun(space, history):
    return aw.search(space, RegularizedEvolution(8, 3), Distance(), objectives="min:loss", history=history, seed=2)


def test_a_whole_history_is_taken_as_it_is():
    space, whole = repeating()
    for given in (whole, whole[:25]):
        assert all(taken is item for taken, item in zip(begun(space, given).history, given, strict=True))


@pytest.mark.parametrize(
    "part",
    [
        lambda whole: whole[-12:],
        lambda whole: whole[::3],
        lambda whole: whole[::-1],
        lambda whole: [item for item in whole if item.metrics["loss"] < 6.0],
    ],
)
def test_what_a_part_of_a_history_refers_to_is_earlier_and_what_it_repeats_the_same_question(part):
    space, whole = repeating()
    given = part(whole)
    taken = begun(space, given).history
    assert any(item.reused is not None for item in given)
    for position, (item, before) in enumerate(zip(taken, given, strict=True)):
        assert item.trial.architecture == before.trial.architecture
        assert item.metrics == before.metrics
        parent, moved = item.trial.parent, before.trial.parent
        assert parent == (moved if moved is not None and moved < position else None)
        if item.reused is not None:
            original = taken[item.reused]
            assert item.reused < position
            assert original.reused is None
            assert original.trial.architecture == item.trial.architecture


def test_a_repetition_of_another_fidelity_or_seed_stands_for_itself():
    architecture = aw.spaces.trace(SPACE, lambda *_: 0)
    asked = [
        aw.Trial(architecture),
        aw.Trial(architecture, 0.5),
        aw.Trial(architecture, seed=1),
        aw.Trial(architecture),
    ]
    given = [aw.Evaluation(trial, {"loss": 1.0}, reused=0 if place else None) for place, trial in enumerate(asked)]
    assert [item.reused for item in begun(SPACE, given).history] == [None, None, None, 0]


def test_a_run_that_starts_from_a_part_of_a_history_goes_on_as_if_never_stopped(tmp_path):
    space, whole = repeating()
    through = list(islice(begun(space, whole[-12:]), 20))
    with aw.record(begun(space, whole[-12:]), tmp_path) as run:
        parts = list(islice(run, 8))
    with aw.record(begun(space, ()), tmp_path) as run:
        parts += list(islice(run, 12))
    assert parts == through


def test_a_search_that_was_never_stepped_can_be_closed(tmp_path):
    for _ in range(2):
        with aw.record(run(evaluations=3), tmp_path / "run"):
            pass
    assert len(list(aw.record(run(evaluations=3), tmp_path / "run"))) == 3


@pytest.mark.parametrize("seed", [-1, 1.5])
def test_a_seed_that_can_not_be_is_refused(seed):
    with pytest.raises(aw.ArchwrightError, match="a seed is a whole number of at least 0"):
        aw.search(SPACE, Random(), Distance(), objectives="min:loss", seed=seed)


def test_a_run_takes_its_seed_and_its_budget_in_numbers_of_numpy(tmp_path):
    import numpy as np

    def begun(seed, evaluations):
        wanted = aw.search(SPACE, Random(), Distance(), objectives="min:loss", seed=seed)
        return aw.record(aw.budget(wanted, evaluations=evaluations, epochs=np.float32(100)), tmp_path)

    first = list(begun(np.int64(3), np.int64(4)))
    manifest = aw.load(tmp_path).manifest
    assert (manifest["seed"], manifest["budget"]) == (3, {"evaluations": 4, "epochs": 100.0, "minutes": None})
    assert len(first + list(begun(3, 6))) == 6


@dataclass(frozen=True)
class Short:
    """A training of an epoch, or of ten, of which the decisions tell the result."""

    epochs: int
    metric: str

    def estimate(self, space, trial):
        score = sum(float(value) for _, value in trial.architecture)
        return aw.Evaluation(trial, {self.metric: score, "epochs": float(self.epochs)}, cost=1.0)


def staged():
    space = aw.Space(dict, edges=[aw.Choice(*range(4)), aw.Choice(*range(3))])
    estimator = aw.estimators.Staged(Short(1, "cheap"), Short(10, "score"), by="max:cheap", keep=0.3, first=2)
    return aw.search(space, aw.strategies.Random(), estimator, objectives="max:score", seed=5)


def test_what_a_filter_rejected_is_rejected_still_after_a_resume(tmp_path):
    """A filter's answers depend on when it is asked, so what was asked once must not be asked again."""
    whole = [(item.trial, item.rejected, item.reused) for item in islice(staged(), 40)]
    with aw.record(staged(), tmp_path) as run:
        begun = [(item.trial, item.rejected, item.reused) for item in islice(run, 9)]
    with aw.record(staged(), tmp_path) as run:
        begun += [(item.trial, item.rejected, item.reused) for item in islice(run, 31)]
    assert begun == whole
    assert any(reused is not None and rejected for _, rejected, reused in whole[9:])


class Heavy:
    """The better, the heavier; the weight is known before."""

    metrics = frozenset({"loss", "weight"})

    def preflight(self, space, trial):
        return {"weight": float(trial.architecture["x"])}

    def estimate(self, space, trial):
        weight = float(trial.architecture["x"])
        return aw.Evaluation(trial, {"loss": -weight, "weight": weight}, cost=1.0)


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_what_the_constraints_of_another_search_excluded_is_asked_after_a_resume_too(tmp_path, stop):
    def begun(limit, given=()):
        space = aw.Space(nothing, x=aw.Choice(*range(8)))
        wanted = ["min:loss", f"weight<={limit}"]
        return aw.search(space, Random(), Heavy(), objectives=wanted, seed=5, history=given)

    tight = list(aw.budget(begun(0), evaluations=1))
    whole = [(item.trial, item.metrics) for item in aw.budget(begun(6, tight), evaluations=7)]
    with aw.record(aw.budget(begun(6, tight), evaluations=7), tmp_path) as run:
        parts = [(item.trial, item.metrics) for item in islice(run, stop)]
    with aw.record(aw.budget(begun(6), evaluations=7), tmp_path) as run:
        parts += [(item.trial, item.metrics) for item in run]
    assert parts == whole
    assert aw.load(tmp_path).best.evaluation.metrics["loss"] == -6.0


def test_a_run_that_does_not_say_what_it_was_given_goes_on_as_before(tmp_path):
    """Written by an older version: whatever was rejected is rejected still."""
    with aw.record(staged(), tmp_path) as run:
        list(islice(run, 9))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest.pop("given") == 0
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with aw.record(staged(), tmp_path) as run:
        begun = [(item.trial, item.rejected, item.reused) for item in islice(run, 31)]
    assert begun == [(item.trial, item.rejected, item.reused) for item in islice(staged(), 40)][9:]


def test_the_epochs_of_what_was_rejected_count():
    run = staged()
    items = list(islice(run, 40))
    paid = [item for item in items if item.reused is None]
    assert any(item.rejected for item in paid)
    assert run.history.epochs == sum(item.metrics["epochs"] for item in paid)
    assert run.history.spent == sum(not item.rejected for item in paid)
