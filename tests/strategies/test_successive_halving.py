from itertools import pairwise

import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.strategies import SuccessiveHalving
from archwright.strategies.rungs import is_promotion
from tests.strategies.test_rungs import edges, loss_of, run


def brackets_of(history, sizes, levels):
    """The finished brackets of a one-worker search, each a list of rungs of positions, by counting alone."""
    found, rest = [], list(range(len(history)))
    while len(rest) >= sum(sizes):
        rungs = []
        for size in sizes:
            rungs.append(rest[:size])
            rest = rest[size:]
        found.append(rungs)
    for rungs in found:
        for rung, level in zip(rungs, levels, strict=True):
            assert {history[position].trial.fidelity for position in rung} == {level}
    return found


def test_one_worker_does_it_rung_by_rung_as_the_algorithm_says():
    history = run(SuccessiveHalving(lowest=1 / 9), 130).history
    found = brackets_of(history, (9, 3, 1), (1 / 9, 1 / 3, 1.0))
    assert len(found) == 10
    for rungs in found:
        for below, above in pairwise(rungs):
            order = sorted(below, key=lambda position: history[position].metrics["loss"])
            assert [history[position].trial.parent for position in above] == order[: len(above)]
            for position in above:
                trial = history[position].trial
                assert trial.architecture == history[trial.parent].trial.architecture
                assert history[position].metrics["loss"] == loss_of(trial)
        assert all(history[position].trial.parent is None for position in rungs[0])


def test_so_many_trials_as_are_wanted():
    assert SuccessiveHalving(lowest=1 / 27).brackets[0].sizes == (27, 9, 3, 1)
    assert SuccessiveHalving(eta=4, lowest=1 / 16, trials=100).brackets[0].sizes == (100, 25, 6)
    assert SuccessiveHalving(levels=(0.06, 1.0)).brackets[0].sizes == (17, 1)
    assert SuccessiveHalving(lowest=1 / 9, trials=2).brackets[0].sizes == (2, 1, 1)
    with pytest.raises(ArchwrightError, match="at least 1 trial"):
        SuccessiveHalving(trials=0)


def starts_by_bracket(history, size):
    """Which starts (their numbers) make up each bracket: what was not rejected, in the order of asking."""
    trials = dict(zip(history.numbers, history, strict=True))
    starts = [
        number
        for number in range(history.asked)
        if number in history.pending or not (trials[number].rejected or is_promotion(history, trials[number].trial))
    ]
    return [starts[begin : begin + size] for begin in range(0, len(starts), size)]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(("failing", "rejecting"), [(0, 0), (30, 0), (0, 40), (20, 20)])
def test_failures_and_rejections_break_no_bracket(workers, failing, rejecting):
    history = run(SuccessiveHalving(lowest=1 / 9), 150, workers=workers, failing=failing, rejecting=rejecting).history
    promotions = {e.trial.parent: p for p, e in enumerate(history) if is_promotion(history, e.trial)}
    complete = 0
    for members in starts_by_bracket(history, 9):
        rung = [history.numbers.index(number) for number in members if number not in history.pending]
        if len(rung) < 9:
            continue
        for size in (3, 1):
            good = [position for position in rung if history[position].failure is None]
            best = sorted(good, key=lambda position: history[position].metrics["loss"])[:size]
            if not set(best) <= set(promotions):  # the end of the search came first
                break
            assert {position for position in rung if position in promotions} == set(best)
            rung = [promotions[position] for position in best]
        else:
            complete += 1
    assert complete >= 6


def test_of_a_filtered_history_what_ranked_is_promoted():
    space, streams = aw.spaces.nasbench201(), Streams(0)
    drawn = [aw.spaces.sample(space, streams[number]) for number in range(8)]
    assert len({space.key(architecture) for architecture in drawn}) == 8

    def answered(architecture, loss, **others):
        return aw.Evaluation(aw.Trial(architecture, 1 / 3), {"valid_loss": loss}, **others)

    full = [aw.Evaluation(aw.Trial(architecture, 1 / 3), failure="bad luck") for architecture in drawn[6:]]
    full += map(answered, drawn, (0.9, 0.2, 0.8, 0.7, 0.6, 0.1))
    full += [answered(drawn[5], 0.1, reused=7), answered(drawn[6], 0.5), answered(drawn[7], 0.6)]
    good = [evaluation for evaluation in full if evaluation.failure is None]

    class Fixed:
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"valid_loss": 0.5}, cost=1.0)

    strategy = SuccessiveHalving(levels=(1 / 3, 1.0), trials=3)
    run = aw.search(space, strategy, Fixed(), objectives="min:valid_loss", history=good)
    parents = [item.trial.parent for item in aw.budget(run, evaluations=14) if is_promotion(run.history, item.trial)]
    assert parents[:3] == [1, 5, 6]
    for evaluation in run.history[9:12]:
        assert evaluation.trial.architecture == good[evaluation.trial.parent].trial.architecture


def test_workers_do_not_idle():
    search = aw.search(
        edges(), SuccessiveHalving(lowest=1 / 9), Slow(), objectives="min:loss", executor=aw.Simulated(4)
    )
    pending = []
    for evaluation in aw.budget(search, evaluations=100):
        pending.append(len(search.history.pending) + 1)
        assert evaluation.failure is None
    assert min(pending[:-4]) >= 3  # at the moment of an arrival; the fourth is the one that has arrived


class Slow:
    def estimate(self, space, trial):
        return aw.Evaluation(trial, {"loss": loss_of(trial)}, cost=1.0 + 10 * (trial.architecture.decisions[0][1] == 0))


def test_several_objectives_promote_whom_the_fewest_beat():
    history = run(SuccessiveHalving(lowest=1 / 9), 130, objectives=["min:loss", "min:cost"]).history
    for rungs in brackets_of(history, (9, 3, 1), (1 / 9, 1 / 3, 1.0)):
        for below, above in pairwise(rungs):
            scored = {position: history.scored(position) for position in below}
            beaten = {p: sum(other.beats(s) for other in scored.values()) for p, s in scored.items()}
            chosen = [history[position].trial.parent for position in above]
            assert max(beaten[p] for p in chosen) <= min(beaten[p] for p in below if p not in chosen)


def test_a_promoted_trial_trains_only_the_missing_epochs(tmp_path):
    estimator = aw.estimators.Training(aw.tasks.digits(), epochs=9, device="cpu", checkpoints=str(tmp_path))
    space = aw.spaces.chain()
    search = aw.search(space, SuccessiveHalving(lowest=1 / 9, trials=4), estimator, objectives="valid_accuracy", seed=5)
    history = search.history
    for _ in aw.budget(search, evaluations=6):
        pass
    told = [(round(9 * e.trial.fidelity), e.metrics["epochs"], len(e.curve)) for e in history]
    assert told == [(1, 1.0, 1)] * 4 + [(3, 2.0, 3), (9, 6.0, 9)]
    promoted = history[4]
    assert promoted.curve[:1] == history[promoted.trial.parent].curve
    assert history[5].curve[:3] == promoted.curve
