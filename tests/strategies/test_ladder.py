import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Trial
from archwright.strategies.ladder import Ladder
from archwright.strategies.rungs import is_promotion, promoted
from tests.strategies.test_rungs import LEVELS, Noisy, architecture, edges, note, run


def test_what_a_sampler_sees_is_each_start_once_with_the_answers_of_one_fidelity():
    search = run(aw.strategies.Hyperband(lowest=1 / 9), 150, workers=4, failing=10)
    history = search.history
    ladder = Ladder(LEVELS)
    ladder.read(history)

    def start_of(number):  # by walking back
        trial = history.pending[number] if number in history.pending else history[history.numbers.index(number)].trial
        while trial.parent is not None:
            number, trial = history.numbers[trial.parent], history[trial.parent].trial
        return number

    starts = sorted({start_of(number) for number in range(history.asked)})
    for level in LEVELS:
        view = ladder.views[level]
        assert view.history.asked == len(starts)
        wanted, seen = [], set()
        for position, evaluation in enumerate(history):
            start = start_of(history.numbers[position])
            if start not in seen and (evaluation.trial.fidelity == level or evaluation.failure is not None):
                seen.add(start)
                wanted.append((position, starts.index(start), evaluation))
        assert view.positions == [position for position, _, _ in wanted]
        assert view.history.numbers == [start for _, start, _ in wanted]
        assert [e.metrics for e in view.history] == [e.metrics for _, _, e in wanted]
        assert [e.failure for e in view.history] == [e.failure for _, _, e in wanted]
        assert sorted(view.history.pending) == sorted(set(range(len(starts))) - set(view.history.numbers))
    assert ladder.seen(1) is ladder.views[1.0]
    assert ladder.seen(len(ladder.views[1.0].history.succeeded) + 1) is ladder.views[1 / 3]
    assert ladder.seen(10_000) is ladder.views[1 / 9]


def test_of_what_a_sampler_sees_as_pending_only_what_runs_is_under_way():
    search = aw.search(edges(), aw.strategies.ASHA(lowest=1 / 9), Noisy(), objectives="min:loss", seed=1)
    search.executor = aw.Simulated(4)
    for number, _ in enumerate(search):
        if number == 60:
            break
    history, ladder = search.history, Ladder(LEVELS)
    ladder.read(history)
    running = {trial.architecture for trial in history.pending.values()}
    assert len(running) == 3
    for view in ladder.views.values():
        seen = view.history
        under_way = {trial.architecture for trial in seen.under_way.values()}
        assert under_way == running - {e.trial.architecture for e in seen}
        assert seen.under_way.keys() <= seen.pending.keys()
    assert len(ladder.views[1.0].history.pending) > 30
    assert history.under_way is history.pending


def test_parents_and_repetitions_are_those_of_the_view():
    history = History("min:loss")
    one = note(history, Trial(architecture(1), 1 / 9), metrics={"loss": 1.0})
    two = note(history, Trial(architecture(2), 1 / 9), metrics={"loss": 2.0})
    child = note(history, Trial(architecture(3), 1 / 9, parent=two), metrics={"loss": 3.0})
    note(history, Trial(architecture(4), 1 / 9, parent=two), metrics={"loss": 2.0}, reused=two)
    risen = note(history, promoted(history, two, 1 / 3), metrics={"loss": 0.5})
    note(history, promoted(history, child, 1 / 3), metrics={"loss": 0.4})
    ladder = Ladder(LEVELS)
    ladder.read(history)
    low, middle = ladder.views[1 / 9].history, ladder.views[1 / 3].history
    assert [e.trial.parent for e in low] == [None, None, two, two]
    assert [e.reused for e in low] == [None, None, None, two]
    assert ladder.views[1 / 3].positions == [risen, risen + 1]
    assert [e.trial.parent for e in middle] == [None, 0]  # whose own answer at this fidelity came first
    assert list(middle.pending) == [one, 3]


def test_a_ladder_read_bit_by_bit_equals_one_read_at_once_and_notices_another_history():
    history = run(aw.strategies.ASHA(lowest=1 / 9), 80, workers=3, failing=10, rejecting=10).history
    slow, quick, again = Ladder(LEVELS), Ladder(LEVELS), History("min:loss")
    asked = 0
    for position, number in enumerate(history.numbers):
        while asked <= number:  # at least what has to be asked by now
            pending = history.pending.get(asked)
            again.ask(history[history.numbers.index(asked)].trial if pending is None else pending)
            asked += 1
        slow.read(again)
        again.append(number, history[position])
    assert not slow.read(again)
    assert quick.read(again)
    for level in LEVELS:
        assert list(slow.ranking(level)) == list(quick.ranking(level))
        assert slow.starts[level] == quick.starts[level]
        assert slow.views[level].positions == quick.views[level].positions
        assert slow.views[level].history.pending == quick.views[level].history.pending
    assert slow.promotions == quick.promotions
    assert slow.read(History("min:loss"))
    assert not slow.promotions


def test_a_history_in_part_or_in_another_order_is_read():
    whole = run(aw.strategies.ASHA(lowest=1 / 9), 60, failing=10).history
    for evaluations in (whole[30:], whole[::-1], whole[::3]):
        history = aw.search(
            edges(), aw.strategies.Random(), Noisy(), objectives="min:loss", history=evaluations
        ).history
        ladder = Ladder(LEVELS)
        ladder.read(history)
        told = sum(is_promotion(history, e.trial) for e in history)
        assert sum(map(len, ladder.starts.values())) + len(ladder.promotions) <= len(evaluations)
        assert len(ladder.promotions) <= told
        for number, promotion in ladder.promotions.items():
            assert number < promotion
        for strategy in (aw.strategies.ASHA(lowest=1 / 9), aw.strategies.Hyperband(lowest=1 / 9)):
            assert strategy.propose(edges(), history, Streams(0)[0]).fidelity in LEVELS
