from collections import Counter

import pytest

import archwright as aw
from archwright.core.history import History, best_of
from archwright.core.rng import Streams
from archwright.estimators.inherited import ancestor
from archwright.spaces.operators import neighbours, sample
from archwright.spaces.space import Space
from archwright.strategies import ASHA, LocalSearch
from archwright.strategies.rungs import is_promotion
from tests.strategies.test_rungs import Noisy, edges, loss_of, note, run


def test_a_neighbour_names_the_best_of_its_climb_for_its_parent():
    space, history, streams = edges(3, 3), History("min:loss"), Streams(0)
    starts, summit = 0, None
    for number in range(100):
        trial = LocalSearch().propose(space, history, streams[number])
        if trial.parent is None:
            starts, summit = starts + 1, number
        else:
            assert trial.parent == summit
            assert trial.architecture in neighbours(space, history[summit].trial.architecture)
        note(history, trial, metrics={"loss": loss_of(trial)})
        summit = number if loss_of(trial) < loss_of(history[summit].trial) else summit
    assert 2 < starts < 20


@pytest.mark.parametrize("workers", [1, 4])
def test_what_it_names_can_be_inherited_from(workers):
    history = run(LocalSearch(), 60, workers=workers, failing=20, rejecting=10).history
    children = [item.trial for item in history if item.trial.parent is not None]
    assert len(children) > 30
    for child in children:
        assert child.architecture in neighbours(edges(), history[child.parent].trial.architecture)
        assert ancestor(history, child) is not None


def test_inside_asha_a_child_is_no_promotion_of_its_parent():
    history = run(ASHA(of=LocalSearch(), lowest=1 / 3), 120).history
    children = [
        item.trial for item in history if item.trial.parent is not None and not is_promotion(history, item.trial)
    ]
    assert len(children) > 10
    for child in children:
        assert child.fidelity == 1 / 3
        assert child.architecture in neighbours(edges(), history[child.parent].trial.architecture)


def test_a_search_that_was_cut_goes_on_with_the_same_parents(tmp_path):
    def searched(folder, evaluations):
        search = aw.search(edges(), LocalSearch(), Noisy(), objectives="min:loss", seed=3)
        return [item.trial for item in aw.record(aw.budget(search, evaluations=evaluations), folder)]

    whole = searched(tmp_path / "whole", 40)
    searched(tmp_path / "cut", 15)
    rest = searched(tmp_path / "cut", 40)
    assert rest[-25:] == whole[-25:]


def cell(**edges):
    return edges


def _too_many(**edges):
    return "more than 5" if sum(edges.values()) > 5 else None


cell.excluded = _too_many
PICKY = Space(cell, a=aw.Choice(*range(4)), b=aw.Choice(*range(4)), c=aw.Choice(*range(3)))


def plainly(space, history):
    """The climb with all neighbours built: where it stands, and those without an answer."""
    summit, untried = None, []
    for position, item in enumerate(history):
        scored, tried = history.scored(position), item.trial.architecture
        ended = summit is None or not untried
        if scored is not None and (ended or best_of([summit, scored]) is scored):
            summit, untried = scored, neighbours(space, tried)
        else:
            untried = [architecture for architecture in untried if architecture != tried]
    return summit, untried


def answered(space, history, trial):
    number = history.ask(trial)
    loss = sum((3 * value + place) % 7 for place, (_, value) in enumerate(trial.architecture))
    failure = "it was to fail" if number % 9 == 4 else None
    return history.append(number, aw.Evaluation(trial, {} if failure else {"loss": float(loss)}, failure=failure))


def test_it_draws_uniformly_from_the_neighbours_without_an_answer():
    """Of a space that excludes some, through several climbs, with some neighbours pending."""
    history, streams, starts = History("min:loss"), Streams(5), 0
    for number in range(60):
        summit, untried = plainly(PICKY, history)
        if number in (7, 20, 33):
            waiting = [history.ask(aw.Trial(architecture)) for architecture in untried[1:3]]
            left = untried[:1] + untried[3:]
            drawn = Counter(LocalSearch().propose(PICKY, history, Streams(1)[n]) for n in range(400))
            assert {trial.architecture for trial in drawn} == set(left)
            share = 400 / len(left)
            assert all(count == pytest.approx(share, abs=4 * share**0.5) for count in drawn.values())
            for place in waiting:
                history.pending.pop(place)
        trial = LocalSearch().propose(PICKY, history, streams[number])
        starts += trial.parent is None
        if untried:
            assert trial.architecture in untried
            assert trial.parent == summit.position
        else:
            assert trial.parent is None
        answered(PICKY, history, trial)
    assert starts > 3


def test_where_nothing_is_excluded_draws_are_those_among_all_neighbours():
    space, history, streams = aw.spaces.nasbench201(), History("min:loss"), Streams(2)
    for number in range(60):
        _, untried = plainly(space, history)
        trial = LocalSearch().propose(space, history, streams[number])
        rng = streams[number]
        wanted = untried[int(rng.random() * len(untried))] if untried else sample(space, rng)
        assert trial.architecture == wanted
        answered(space, history, trial)


def test_while_the_last_neighbours_are_asked_it_waits():
    history = History("min:loss")
    answered(PICKY, history, aw.Trial(sample(PICKY, Streams(0)[0])))
    for architecture in plainly(PICKY, history)[1]:
        assert LocalSearch().propose(PICKY, history, Streams(0)[1]) is not None
        history.ask(aw.Trial(architecture))
    assert LocalSearch().propose(PICKY, history, Streams(0)[1]) is None


def test_of_thousands_of_neighbours_only_the_one_that_is_drawn_is_built(monkeypatch):
    walks, walk = [], Space.walk
    monkeypatch.setattr(Space, "walk", lambda space, decide: walks.append(1) or walk(space, decide))
    space, history, streams, strategy = aw.spaces.cgp(), History("min:loss"), Streams(0), LocalSearch()
    for number in range(10):
        trial = strategy.propose(space, history, streams[number])
        history.append(history.ask(trial), aw.Evaluation(trial, {"loss": float(number % 3)}))
    assert len(walks) < 100
