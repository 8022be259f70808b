"""Hill climbing over morphisms, step by step."""

from collections import Counter

import pytest

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.strategies import NASH
from archwright.strategies.growth import children, grown, seedling
from tests.strategies.growing import Scores, searched, space


def layers(made, architecture):
    return made.resolve(architecture)["layers"]


def test_growth_begins_with_the_smallest_network():
    made = space()
    assert layers(made, seedling(made, Streams(0)[0])) == [1]
    excluded = aw.spaces.nasbench101()  # the first options are no cell of it
    assert excluded.excluded(seedling(excluded, Streams(0)[0])) is None


def test_children_are_what_morphisms_reach():
    made = space()
    reached = {(morph.kind, *layers(made, morph.architecture)) for morph in children(made, seedling(made, None))}
    assert reached == {("widen", 2), ("deepen", 1, 1)}


def test_without_morphisms_children_are_neighbours():
    made, rng = aw.spaces.nasbench201(), Streams(0)[0]
    architecture = aw.spaces.sample(made, rng)
    found = children(made, architecture)
    assert {morph.architecture for morph in found} == set(aw.spaces.neighbours(made, architecture))
    assert {morph.kind for morph in found} == {"change"}


def test_without_morphisms_a_child_is_any_neighbour_of_a_neighbour():
    made = aw.Space(lambda **values: values, a=aw.Choice(0, 1, 2), b=aw.Choice(0, 1))
    parent, streams = aw.Architecture((("a", 0), ("b", 0))), Streams(0)
    wanted = Counter()
    for near in aw.spaces.neighbours(made, parent):
        wanted.update(aw.spaces.neighbours(made, near))  # of each as many, so all ways are alike
    drawn = Counter(grown(made, parent, 2, streams[n]) for n in range(3000))
    assert set(drawn) == set(wanted)
    for architecture, ways in wanted.items():
        assert drawn[architecture] == pytest.approx(3000 * ways / wanted.total(), abs=110)


def test_of_thousands_of_neighbours_only_those_that_are_drawn_are_built(monkeypatch):
    walks, walk = [], aw.Space.walk
    monkeypatch.setattr(aw.Space, "walk", lambda space, decide: walks.append(1) or walk(space, decide))
    made, rng = aw.spaces.cgp(), Streams(0)[0]
    parent = seedling(made, rng)
    child = grown(made, parent, 5, rng)
    assert 1 <= sum(child.as_dict().get(name) != value for name, value in parent) <= 5
    assert len(walks) < 30


def test_kinds_are_drawn_alike_and_then_their_places():
    made, streams = space(), Streams(1)
    (parent,) = (morph.architecture for morph in children(made, seedling(made, None)) if morph.kind == "deepen")
    drawn = Counter(tuple(layers(made, grown(made, parent, 1, streams[n]))) for n in range(2000))
    assert set(drawn) == {(2, 1), (1, 2), (1, 1, 1)}
    assert drawn[1, 1, 1] == pytest.approx(1000, abs=100)  # 4.5 standard deviations
    assert drawn[2, 1] == pytest.approx(500, abs=87)


def test_growth_ends_where_nothing_is_left():
    made = space(most=2)
    assert layers(made, grown(made, seedling(made, None), 50, Streams(0)[0])) == [4, 4]


@pytest.mark.parametrize("workers", [1, 3])
def test_each_step_grows_the_best_of_the_step_before(workers):
    made, size = space(most=12), 4
    scores = Scores(lambda layers: (sum(layers) * 7919) % 101)  # neither up nor down hill
    history = searched(NASH(children=size, morphisms=2), scores, 21, made, executor=aw.Simulated(workers))
    assert history[0].trial.parent is None
    best, place = 0, 1
    for number in range(1, 6):
        step = []
        while len(step) < size and place < len(history):
            step.append(place)
            place += 1
        trials = [history[position].trial for position in step]
        assert {trial.parent for trial in trials} == {best}
        again = [trial for trial in trials if trial.seed == number]
        assert [trial.architecture for trial in again] == [history[best].trial.architecture]
        before = sum(layers(made, history[best].trial.architecture))
        assert all(sum(layers(made, trial.architecture)) > before for trial in trials if trial.seed == 0)
        best = min(step, key=lambda position: history[position].metrics["loss"])


def test_a_step_of_failures_climbs_from_where_it_stood():
    scores = Scores(lambda layers: None if len(scores.asked) > 1 else 1.0)
    history = searched(NASH(children=3, morphisms=1), scores, 5, space(most=12))
    assert {item.trial.parent for item in history[1:]} == {0}
    again = [item.trial for item in history if item.trial.seed]
    assert [trial.seed for trial in again] == list(range(1, len(again) + 1))
    assert len(again) >= 2


def test_a_first_network_that_fails_is_followed_by_a_random_one():
    scores = Scores(lambda layers: None if len(scores.asked) < 3 else 1.0)
    history = searched(NASH(children=3), scores, 5)
    assert [item.trial.parent for item in history] == [None, None, None, 2, 2]


def test_the_climb_reaches_the_top():
    history = searched(NASH(), Scores(lambda layers: -sum(layers)), 41)
    assert history.best.losses == (-20.0,)


def test_mistakes_are_named():
    with pytest.raises(ArchwrightError, match="at least 2 children"):
        NASH(children=1)
