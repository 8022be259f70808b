"""Actors that grow networks: what they see, what they draw, and what they learn."""

import pickle

import numpy as np
import pytest
import torch

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.strategies import EAS
from archwright.strategies.decisions import decisions
from archwright.strategies.growth import children, seedling
from archwright.strategies.models.actors import Action, Actors, Sequential, View, openers
from tests.strategies.growing import Scores, of, searched, space

SMALL = {"networks": 4, "hidden": 5, "embedding": 3}


@pytest.fixture
def actors():
    return Actors(space(), 2, Sequential, hidden=5, embedding=3, learning_rate=0.1)


def test_decisions_hang_on_those_that_opened_them():
    names = ["stem", "stem=conv.kernel", "layers.times", "layers[0]", "layers[0]=conv.kernel", "layers[1]", "head[0]"]
    assert openers(names) == [-1, 0, -1, 2, 3, 2, -1]


def test_actors_see_where_a_change_begins_and_what_is_new_there(actors):
    made = space()
    parent = aw.spaces.trace(
        made, lambda name, _: 3 if name.endswith("times") else int(name == "layers[1]")
    )  # [1, 2, 1]
    reached = {morph.kind + str(made.resolve(morph.architecture)["layers"]): morph for morph in children(made, parent)}
    chosen = [reached["widen[2, 2, 1]"], reached["widen[1, 2, 2]"], reached["deepen[1, 1, 2, 1]"]]
    view = actors.view(made, parent, [morph.architecture for morph in chosen])
    names = [decision.name for decision in decisions(made, parent)]
    assert [names[place] for place in view.places] == ["layers[0]", "layers[2]", "layers[1]"]
    rows = {decision.name: row for decision, row in zip(decisions(made, parent), view.options, strict=True)}
    assert view.news == [rows["layers[1]"], rows["layers[1]"], rows["layers[0]"]]  # wider, wider, narrow
    assert view.openers == [-1, 0, 0, 0]


def test_probabilities_are_those_of_a_softmax(actors):
    made = space()
    parent = seedling(made, None)
    view = actors.view(made, parent, [morph.architecture for morph in children(made, parent)])
    logs = actors(0, view)
    assert logs.shape == (2,)
    assert float(logs.detach().exp().sum()) == pytest.approx(1.0)
    assert not torch.equal(logs, actors(1, view))


def test_reinforce_follows_the_gradient(actors):
    """Adam's first step is its rate times the sign of the gradient, here of finite differences."""
    view = View([0, 5, 6], [-1, 0, 0], [1, 2], [6, 7])
    paths = [([Action(0, view, 1), Action(1, view, 0)], 0.5), ([Action(0, view, 0)], -0.2)]

    def objective():
        logs = [sum(actors(act.actor, act.view)[act.taken] for act in actions) for actions, _ in paths]
        return float(sum(advantage * log for (_, advantage), log in zip(paths, logs, strict=True)) / 2)

    weights, step = actors.options.weight, 1e-6
    slopes = []
    with torch.no_grad():
        for row, column in ((0, 0), (5, 1), (6, 2), (7, 0)):
            kept = float(weights[row, column])
            ends = []
            for sign in (1, -1):
                weights[row, column] = kept + sign * step
                ends.append(objective())
            weights[row, column] = kept
            slopes.append(((row, column), (ends[0] - ends[1]) / (2 * step), kept))
    actors.reinforce(paths)
    for place, slope, kept in slopes:
        assert abs(slope) > 1e-7
        assert weights[place].item() - kept == pytest.approx(0.1 * np.sign(slope), rel=1e-2)


def test_networks_of_an_episode_grow_from_one():
    history = searched(EAS(wider=1, deeper=2, stage=8, **SMALL), Scores(lambda layers: -sum(layers)), 17, space(8))
    assert history[0].trial.parent is None
    assert {item.trial.parent for item in history[1:9]} == {0}
    best = min(range(9), key=lambda position: history[position].metrics["loss"])
    assert {item.trial.parent for item in history[9:17]} == {best}


def test_wider_and_deeper_act_as_often_as_they_shall():
    made = space(8)
    history = searched(EAS(wider=1, deeper=2, **SMALL), Scores(len), 5, made, start=(1, 1, 1))
    for item in history[1:]:
        layers = made.resolve(item.trial.architecture)["layers"]
        assert len(layers) == 5  # two more
        assert set(layers) == {1, 2}  # one was widened, once, and may have been copied then


def test_what_was_drawn_can_be_drawn_again():
    """The path to a network is no part of the history, yet it is learnt from."""
    made, strategy = space(12), EAS(**SMALL)
    scores, streams = Scores(sum), Streams(5)
    history = History("min:loss", [scores.estimate(made, aw.Trial(of(made, 1, 2, 1, 1)))])
    for _ in range(3):
        number = history.ask(strategy.propose(made, history, streams[history.asked]))
        history.append(number, scores.estimate(made, history.pending[number]))
    episode = strategy.learned(made, history)
    for position in episode.arrived:
        grown, actions = strategy._grown(made, episode, history.numbers[position])
        assert grown == history[position].trial.architecture
        assert len(actions) == 9
    other = pickle.loads(pickle.dumps(strategy)).propose(made, history, streams[history.asked])
    assert other == strategy.propose(made, history, streams[history.asked])


def test_another_search_draws_otherwise():
    one, other = (searched(EAS(**SMALL), Scores(sum), 5, space(15), seed, start=(1, 2, 1, 1, 4, 2)) for seed in (0, 1))
    assert [item.trial.architecture for item in one] != [item.trial.architecture for item in other]


def test_it_learns_what_pays():
    """Layers are best widened where they are first: the wider actor comes to do so."""
    made = space(most=3)
    strategy = EAS(wider=1, deeper=0, networks=10, stage=10_000, learning_rate=0.05, hidden=8, embedding=4)
    history = History("min:loss", [aw.Evaluation(aw.Trial(of(made, 1, 1, 1)), {"loss": 1.0})])
    streams, drawn = Streams(0), []
    scores = Scores(lambda layers: -layers[0])
    for _ in range(300):
        trial = strategy.propose(made, history, streams[history.asked])
        drawn.append(made.resolve(trial.architecture)["layers"][0] == 2)
        number = history.ask(trial)
        history.append(number, scores.estimate(made, trial))
    assert sum(drawn[:30]) < 20
    assert sum(drawn[-30:]) >= 27


def test_evaluations_of_others_are_no_actions_of_ours():
    made, rng = space(), Streams(0)[0]
    scores = Scores(sum)
    given = [scores.estimate(made, aw.Trial(of(made, 1, 2, 1)))]
    given += [scores.estimate(made, aw.Trial(aw.spaces.sample(made, rng))) for _ in range(8)]
    run = aw.search(made, EAS(wider=2, deeper=2, **SMALL), scores, objectives="min:loss", history=given)
    list(aw.budget(run, evaluations=14))
    assert {item.trial.parent for item in run.history[9:]} == {0}


def test_mistakes_are_named():
    with pytest.raises(ArchwrightError, match="at least 1 network"):
        EAS(networks=0)
