from dataclasses import dataclass

import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe, rebuildable
from archwright.core.rng import Streams, seed_for, stream_seed
from archwright.core.trial import Evaluation
from archwright.estimators import ZeroCost
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.strategies import DARTS, LEMONADE, TPE, QLearning, Random, RegularizedEvolution, Warm
from archwright.testing import check_strategy


@dataclass(frozen=True)
class Sum:
    """Scores an architecture by the sum of its decisions; fails on odd ones if told so."""

    fails: bool = False

    def estimate(self, space, trial):
        total = sum(float(value) for _, value in trial.architecture)
        if self.fails and total % 2:
            raise ValueError("odd")
        return Evaluation(trial, {"loss": total})


class Says(Sum):
    """Says what it measures."""

    metrics = frozenset({"score"})


def options(**arguments):
    return arguments


@pytest.fixture
def space():
    return Space(options, edges=[aw.Choice(*range(5)) for _ in range(6)])


def drawn(space, seed, pool):
    streams = Streams(seed_for("pool", stream_seed(Streams(seed)[0])))
    return [sample(space, streams[number]) for number in range(pool)]


def total(architecture):
    return sum(value for _, value in architecture)


def test_the_first_trials_are_the_best_of_the_pool_and_then_it_goes_on(space):
    warm = Warm(RegularizedEvolution(population=8, sample=3), Sum(), "min:loss", pool=200, first=8)
    history, streams = History("min:loss"), Streams(5)
    asked = []
    for number in range(20):
        trial = warm.propose(space, history, streams[number])
        asked.append(trial)
        history.append(history.ask(trial), Sum().estimate(space, trial))
    pool = sorted({architecture: total(architecture) for architecture in drawn(space, 5, 200)}.values())
    assert [total(trial.architecture) for trial in asked[:8]] == pool[:8]
    assert len({trial.architecture for trial in asked[:8]}) == 8
    assert all(trial.parent is None for trial in asked[:8])
    assert all(trial.parent is not None for trial in asked[8:])


def test_larger_can_be_better(space):
    trial = Warm(Random(), Sum(), "max:loss", pool=50).propose(space, History("max:loss"), Streams(1)[0])
    assert total(trial.architecture) == max(map(total, drawn(space, 1, 50)))


def test_what_cannot_be_scored_is_left_out(space):
    warm = Warm(Random(), Sum(fails=True), "min:loss", pool=60, first=20)
    history, streams = History("min:loss"), Streams(2)
    for number in range(20):
        history.ask(warm.propose(space, history, streams[number]))
    even = [total(architecture) for architecture in set(drawn(space, 2, 60)) if total(architecture) % 2 == 0]
    assert [total(trial.architecture) for trial in history.pending.values()] == sorted(even)[:20]


def test_a_space_with_fewer_architectures_is_asked_once_and_then_it_goes_on():
    space = Space(options, only=aw.Choice(*range(3)))
    warm = Warm(Random(), Sum(), "min:loss", pool=50, first=10)
    history, streams = History("min:loss"), Streams(3)
    for number in range(4):
        history.ask(warm.propose(space, history, streams[number]))
    assert [total(trial.architecture) for trial in history.pending.values()][:3] == [0, 1, 2]


def test_the_pool_is_scored_once_a_search(space):
    class Counting:
        asked = 0

        def estimate(self, space, trial):
            Counting.asked += 1
            return Sum().estimate(space, trial)

    search = aw.search(space, Warm(Random(), Counting(), "min:loss", pool=30), Sum(), objectives="min:loss", seed=4)
    assert len(list(aw.budget(search, evaluations=12))) == 12
    assert Counting.asked == len(set(drawn(space, 4, 30)))


def test_if_nothing_can_be_scored_it_says_why(space):
    warm = Warm(Random(), Sum(), "max:synflow", pool=5, first=2)
    with pytest.raises(ArchwrightError, match=r"no architecture of the pool can be ranked by max:synflow.*loss"):
        warm.propose(space, History("min:loss"), Streams(0)[0])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"first": 0}, "1 <= first <= pool"),
        ({"pool": 5}, "1 <= first <= pool"),
        ({"by": "loss <= 3"}, "ranked by an objective"),
        ({"by": "synflow"}, "write max:synflow"),
        ({"of": RegularizedEvolution(2000)}, "not 2000 and 1000; RegularizedEvolution begins with so many"),
        ({"of": DARTS()}, "DARTS proposes no architectures.*inside Warm"),
        ({"cheap": Says(), "by": "max:scor"}, "no cheap metric 'scor'; did you mean score"),
    ],
)
def test_bad_settings(settings, says):
    with pytest.raises(ArchwrightError, match=says):
        Warm(**{"of": Random(), "cheap": Sum(), **settings})


@pytest.mark.parametrize(
    ("of", "count"),
    [
        (RegularizedEvolution(population=14, sample=3), 14),
        (LEMONADE(start=7), 7),
        (TPE(initial=3), 3),
        (QLearning(initial=0.5), 10),  # a value
        (Random(), 10),
    ],
    ids=lambda given: type(given).__name__,
)
def test_as_many_are_asked_as_the_other_strategy_would_begin_with(space, of, count):
    warm, history, streams = Warm(of, Sum(), "min:loss", pool=200), History("min:loss"), Streams(6)
    for number in range(count):
        trial = warm.propose(space, history, streams[number])
        history.append(history.ask(trial), Sum().estimate(space, trial))
    pool = sorted({architecture: total(architecture) for architecture in drawn(space, 6, 200)}.values())
    assert [total(item.trial.architecture) for item in history] == pool[:count]
    assert warm.propose(space, history, streams[count]) == of.propose(space, history, streams[count])


def test_it_keeps_the_contract():
    check_strategy(Warm(RegularizedEvolution(population=6, sample=2), Sum(fails=True), "min:loss", pool=20, first=6))


def test_zero_cost_warms_a_search():
    space, task = aw.spaces.nasbench201(cells=1, channels=4), aw.tasks.digits()
    cheap = ZeroCost(task, ("synflow",), batch=8, costs=())
    warm = Warm(Random(), cheap, pool=6, first=2)
    assert rebuildable(describe(warm))
    search = aw.search(space, warm, cheap, objectives="max:synflow")
    first, second, _ = (item.metrics["synflow"] for item in aw.budget(search, evaluations=3))
    pool = {space.key(made): made for made in drawn(space, 0, 6)}.values()
    known = sorted((cheap.estimate(space, aw.Trial(made)).metrics["synflow"] for made in pool), reverse=True)
    assert [first, second] == known[:2]


def test_what_breaks_a_constraint_of_the_cheap_metrics_is_left_out(space):
    goal = ["min:accuracy", "loss <= 12"]
    warm = Warm(Random(), Sum(), "max:loss", pool=60, first=5)
    history, streams = History(goal), Streams(1)
    for number in range(5):
        history.ask(warm.propose(space, history, streams[number]))
    kept = sorted((total(made) for made in set(drawn(space, 1, 60)) if total(made) <= 12), reverse=True)
    assert [total(trial.architecture) for trial in history.pending.values()] == kept[:5]
    free = warm.propose(space, History("min:accuracy"), streams[0])  # the same strategy, another search
    assert total(free.architecture) == max(map(total, drawn(space, 1, 60)))
    with pytest.raises(ArchwrightError, match=r"no architecture of the pool.*excluded by loss <= -1"):
        warm.propose(space, History(["min:accuracy", "loss <= -1"]), streams[0])
