import math

import numpy as np
import pytest

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Real
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies import tree_search
from archwright.strategies.decisions import picked
from archwright.strategies.tree_search import Node, TreeSearch


def made(**arguments):
    return arguments


SPACE = Space(made, a=Choice(*range(2)), b=Choice(*range(2)), c=Choice(*range(2)))


def architecture(*values):
    return Architecture(tuple(zip("abc", values, strict=True)))


def history_of(losses):
    return History("min:loss", [Evaluation(Trial(architecture(*a)), {"loss": loss}) for a, loss in losses.items()])


def test_counts_by_hand():
    history = history_of({(0, 0, 0): 4.0, (0, 1, 0): 3.0, (1, 0, 0): 2.0, (0, 1, 1): 1.0, (1, 1, 1): 0.0})
    strategy = TreeSearch()
    tree = strategy.tree(strategy.learned(SPACE, history))
    a0, a1 = tree.root.children[0], tree.root.children[1]
    assert (tree.root.visits, tree.root.total) == (5, pytest.approx(0.0 + 0.25 + 0.5 + 0.75 + 1.0))
    assert (a0.visits, a0.total) == (3, pytest.approx(0.0 + 0.25 + 0.75))
    assert (a1.visits, a1.total) == (2, pytest.approx(0.5 + 1.0))
    assert {branch: node.visits for branch, node in a0.children.items()} == {1: 2}  # the first walk ended in a0 itself
    assert {branch: node.visits for branch, node in a0.children[1].children.items()} == {1: 1}
    assert {branch: node.visits for branch, node in a1.children.items()} == {1: 1}
    shared = tree.shared["b", 0, 2]
    assert (shared.visits, shared.children[1].visits) == (5, 3)
    assert shared.children[1].total == pytest.approx(0.25 + 0.75 + 1.0)


def test_ucb1_by_hand():
    node = Node(10, 6.0, {0: Node(8, 5.0), 1: Node(2, 1.0)})
    assert node.bound(0, 0.5) == pytest.approx(5.0 / 8 + 0.5 * math.sqrt(math.log(10) / 8))
    assert node.bound(1, 0.5) == pytest.approx(1.0 / 2 + 0.5 * math.sqrt(math.log(10) / 2))
    assert node.bound(2, 0.5) == math.inf


def test_plain_uct_step_for_step():
    """Against UCT written down anew: one decision of four branches, so that every count can be followed."""
    space = Space(made, x=Integer(0, 3), y=Real(0.0, 9.0))  # so nothing is ever known
    strategy, history, streams = TreeSearch(exploration=0.7, sharing=0.0, branching=10), History("min:loss"), Streams(0)
    for number in range(36):
        losses = [item.metrics["loss"] for item in history]
        rewards = [sum(other >= loss for other in losses) - 1 for loss in losses]
        rewards = [reward / (len(losses) - 1) if len(losses) > 1 else 0.5 for reward in rewards]
        means = []
        for x in range(4):
            own = [reward for reward, item in zip(rewards, history, strict=True) if item.trial.architecture["x"] == x]
            width = 0.7 * math.sqrt(math.log(max(len(history), 1)) / len(own)) if own else 0.0
            means.append(np.mean(own) + width if own else math.inf)
        allowed = [x for x in range(4) if means[x] == pytest.approx(max(means)) or means[x] == max(means)]
        trial = strategy.propose(space, history, streams[number])
        assert trial.architecture["x"] in allowed
        loss = abs(trial.architecture["x"] - 2) + abs(trial.architecture["y"] - 7) / 10
        history.append(history.ask(trial), Evaluation(trial, {"loss": loss}))


@pytest.mark.parametrize("sharing", [0.0, 300.0])
def test_finds_the_optimum_of_a_small_tree(sharing):
    space, losses = Space(made, ops=[Choice(*range(4)) for _ in range(4)]), []  # 256 architectures
    for seed in range(5):
        strategy, history, streams = TreeSearch(0.3, sharing), History("min:loss"), Streams(seed)
        for number in range(60):
            trial = strategy.propose(space, history, streams[number])
            loss = sum((value - 2) ** 2 * (4 - place) for place, (_, value) in enumerate(trial.architecture))
            history.append(history.ask(trial), Evaluation(trial, {"loss": float(loss)}))
        losses.append(history.best.losses[0])
    assert losses == [0.0] * 5


def test_what_is_known_or_pending_is_not_asked_again():
    space = Space(made, ops=[Choice(*range(4)) for _ in range(3)])
    strategy, history, streams, asked = TreeSearch(), History("min:loss"), Streams(0), set()
    for number in range(40):
        trial = strategy.propose(space, history, streams[number])
        asked.add(trial.architecture)
        history.ask(trial)
        if number >= 3:
            oldest = min(history.pending)
            history.append(oldest, Evaluation(history.pending[oldest], {"loss": float(number % 7)}))
    assert len(asked) == 40


def test_a_space_that_is_used_up_is_not_walked_a_thousand_times_for_each_answer(monkeypatch):
    walks, of_each = [], []
    monkeypatch.setattr(tree_search, "picked", lambda *given: walks.append(1) or picked(*given))
    space, strategy, history, streams = Space(made, **SPACE.choices), TreeSearch(), History("min:loss"), Streams(0)
    known = {}
    for number in range(30):
        again = TreeSearch().propose(space, history, streams[number])  # by the history alone
        before = len(walks)
        trial = strategy.propose(space, history, streams[number])
        of_each.append(len(walks) - before)
        assert again == trial
        position = known.setdefault(trial.architecture, len(history))
        reused = position if position < len(history) else None
        history.append(history.ask(trial), Evaluation(trial, {"loss": 1.0}, reused=reused))
    assert len(known) == 8  # all
    assert [number for number, count in enumerate(of_each) if count == tree_search.TRIES] == [8]  # the first in vain
    assert set(of_each[9:]) == {tree_search.RETRIES}


def test_what_is_pending_counts_as_a_visit_without_reward():
    strategy = TreeSearch(exploration=0.0, sharing=0.0)
    history = history_of({(0, 0, 0): 2.0, (0, 0, 1): 1.0, (1, 0, 0): 0.0})  # a=0 is worth 1/4, a=1 is worth 1
    assert strategy.propose(SPACE, history, Streams(0)[0]).architecture["a"] == 1
    for rest in [(0, 1), (1, 0), (1, 1)]:  # three more visits: 1/4 too; a fourth makes it 1/5
        history.ask(Trial(architecture(1, *rest)))
    assert strategy.propose(SPACE, history, Streams(0)[0]).architecture["a"] == 0


@pytest.mark.parametrize(("options", "branching"), [(7, 2), (12, 5), (10, 5), (64, 4), (3, 5), (1, 5)])
def test_decisions_of_many_options_are_halved(options, branching):
    strategy = TreeSearch(branching=branching)
    for option in range(options):
        forks = []

        def follow(place, ranges, option=option, forks=forks):
            forks.append(len(ranges))
            return next(branch for branch, inside in enumerate(ranges) if option in inside)

        assert strategy._descend("x", options, follow) == option
        assert all(width <= branching for width in forks)
        assert len(forks) <= 1 + max(0, math.ceil(math.log2(options / branching)))


def test_similar_values_share_a_branch():
    space = Space(made, width=Choice(*range(12)))
    path = TreeSearch(branching=3).path(space, Architecture((("width", 7),)))
    assert path == ((("width", 0, 12), 1), (("width", 6, 12), 0), (("width", 6, 9), 1))


def test_refuses_what_makes_no_sense():
    with pytest.raises(ArchwrightError, match="branching"):
        TreeSearch(branching=1)
