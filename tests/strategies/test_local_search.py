import pytest

import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.estimators.inherited import ancestor
from archwright.spaces.operators import neighbours
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
