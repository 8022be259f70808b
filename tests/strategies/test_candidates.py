import numpy as np

from archwright.core.choices import Choice, Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.nas_bench_201 import nasbench201
from archwright.spaces.operators import enumerate_all, key_of, sample
from archwright.spaces.space import Space
from archwright.strategies.candidates import candidates, choose, maximised
from archwright.testing import spaces_to_survive


def made(**arguments):
    return arguments


def history_of(architectures):
    answers = [Evaluation(Trial(each), {"loss": float(place)}) for place, each in enumerate(architectures)]
    return History("min:loss", answers)


def test_half_are_mutants_of_the_parents_and_none_was_asked():
    space, rng = nasbench201(), np.random.default_rng(0)
    history = history_of([sample(space, rng) for _ in range(20)])
    history.ask(Trial(sample(space, rng)))
    parents = [history[0].trial.architecture, history[1].trial.architecture]
    found = candidates(space, history, rng, 60, parents)
    assert len(found) == len(set(found)) == 60
    asked = {item.trial.architecture for item in history} | {trial.architecture for trial in history.pending.values()}
    assert not asked & set(found)
    near = [min(sum(a != b for a, b in zip(each, parent, strict=True)) for parent in parents) == 1 for each in found]
    assert 20 <= sum(near) <= 40  # mutants are drawn as often, and meet one another more


def test_a_number_moves_a_little():
    space, rng = Space(made, x=Real(0.0, 1.0)), np.random.default_rng(0)
    parent = sample(space, rng)
    steps = [each["x"] - parent["x"] for each in candidates(space, history_of([]), rng, 400, [parent])[1::2]]
    inside = [step for step in steps if 0 < parent["x"] + step < 1]
    assert np.mean(np.abs(inside)) < 0.2


def test_a_space_used_up_leaves_none():
    space, rng = Space(made, x=Choice(1, 2, 3)), np.random.default_rng(0)
    history = history_of(list(enumerate_all(space)))
    assert candidates(space, history, rng, 10, [history[0].trial.architecture]) == []
    assert choose(space, history, [], np.zeros(0)) is None
    assert maximised(space, history, rng, lambda found: np.zeros(len(found)), 10) is None


def test_the_best_new_graph_is_chosen():
    space = nasbench201()
    all_of_them = list(enumerate_all(space))[:2000]
    by_key = {}
    for each in all_of_them:
        by_key.setdefault(space.key(each), []).append(each)
    known, twin, *_ = next(group for group in by_key.values() if len(group) > 2)
    other = next(group[0] for group in by_key.values() if known not in group)
    history = history_of([known])
    assert choose(space, history, [other, twin], np.array([1.0, 2.0])) == other
    assert key_of(space, twin) == key_of(space, known)
    pending = history_of([])
    pending.ask(Trial(known))
    assert choose(space, pending, [other, twin], np.array([1.0, 2.0])) == other


def test_the_maximum_is_climbed_to():
    space, rng = nasbench201(), np.random.default_rng(1)

    def score(found):
        return -np.array([sum(abs(value - 3) for _, value in each) for each in found], dtype=float)

    found = maximised(space, history_of([]), rng, score, 60)
    assert score([found])[0] >= score(candidates(space, history_of([]), np.random.default_rng(1), 180)).max()
    assert score([found])[0] >= -2


def test_every_space_has_candidates():
    for space in spaces_to_survive().values():
        streams = Streams(0)
        parents = [sample(space, streams[number]) for number in range(3)]
        for each in candidates(space, history_of([]), streams[4], 40, parents):
            space.resolve(each)


def test_a_graph_that_fails_is_known_by_its_decisions():
    def broken(**arguments):
        return arguments

    broken.graph = lambda **arguments: 1 / 0
    space = Space(broken, x=Choice(1, 2))
    drawn = sample(space, np.random.default_rng(0))
    assert key_of(space, drawn) == drawn.to_json()
