import json
import multiprocessing
import pickle
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import torch

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.parts import describe
from archwright.core.rng import Streams
from archwright.estimators import Cached, Inherited, Mean, Predicted, Staged, Training
from archwright.registry import rebuild
from archwright.tasks.splitting import divide
from archwright.tasks.task import Split
from archwright.testing import check_estimator


@dataclass(frozen=True)
class Counting:
    """Writes down each time that it is asked."""

    log: str
    scale: float = 1.0

    def estimate(self, space, trial):
        with open(self.log, "a") as file:
            file.write("asked\n")
        first = float(trial.architecture["edges[0]"])
        if first == 4:
            return aw.Evaluation(trial, failure="no")
        return aw.Evaluation(trial, {"score": self.scale * first, "epochs": 3.0}, (0.1, 0.2), cost=60.0)


SPARED = {"cached_seconds": 60.0, "cached_epochs": 3.0}
"""What a kept answer of `Counting` says it cost when it was made."""


@pytest.fixture(scope="module")
def space():
    return aw.spaces.nasbench201(cells=1, channels=4)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def cached(tmp_path, log):
    return Cached(Counting(str(log)), str(tmp_path / "answers"))


def trial(first=1, **more):
    return aw.Trial(aw.Architecture((("edges[0]", first), *((f"edges[{place}]", 1) for place in range(1, 6)))), **more)


def times(log):
    return len(log.read_text().splitlines())


def test_it_pays_once(space, cached, log):
    first, again = (cached.estimate(space, trial()) for _ in range(2))
    assert times(log) == 1
    assert (first.cost, first.metrics["epochs"]) == (60.0, 3.0)
    assert (again.cost, again.metrics) == (0.0, {"score": 1.0, "epochs": 0.0, "cached": 1.0, **SPARED})
    assert again.curve == first.curve
    assert again.trial == trial()


def test_what_differs_is_asked_anew(space, cached, log):
    cached.estimate(space, trial())
    for other in (trial(2), trial(seed=1), trial(fidelity=0.5)):
        cached.estimate(space, other)
    cached.estimate(aw.spaces.nasbench201(cells=2, channels=4), trial())
    replace(cached, of=replace(cached.of, scale=2.0)).estimate(space, trial())
    replace(cached, version="2").estimate(space, trial())
    assert times(log) == 7


def test_equal_graphs_are_one_question(space, cached, log):
    twins = [aw.spaces.sample(space, Streams(0)[number]) for number in range(400)]
    keys = {}
    for architecture in twins:
        keys.setdefault(space.key(architecture), set()).add(architecture)
    pair = next(sorted(found, key=repr) for found in keys.values() if len(found) > 1)
    _, second = (cached.estimate(space, aw.Trial(architecture)) for architecture in pair[:2])
    assert times(log) == 1
    assert second.metrics["cached"] == 1.0
    assert second.trial.architecture == pair[1]


def test_failures_are_not_kept(space, cached, log):
    assert [cached.estimate(space, trial(4)).failure for _ in range(2)] == ["no", "no"]
    assert times(log) == 2


def test_where_files_lie_is_no_part_of_the_question(space, tmp_path):
    task = aw.tasks.digits()
    estimator = Cached(Training(task, 1), str(tmp_path / "answers"))
    first = estimator.stored(str(tmp_path / "one")).estimate(space, trial())
    again = estimator.stored(str(tmp_path / "other")).estimate(space, trial())
    spared = {"cached_epochs": first.metrics["epochs"], "cached_seconds": first.cost}
    assert again.metrics == {**first.metrics, "epochs": 0.0, "cached": 1.0, **spared}
    assert again.curve == first.curve


def test_what_depends_on_the_history_is_refused(space, tmp_path, log):
    class Informed(Counting):
        def briefing(self, space, history, trial):
            return len(history)

        def estimate(self, space, trial, briefing=None):
            return super().estimate(space, trial)

    training = Training(aw.tasks.digits(), 1)
    own = (Informed(str(log)), Inherited(training), Staged(training, training, by="valid_accuracy"), Predicted())
    for inside in (*own, Mean(Inherited(training))):
        name = type(inside if inside in own else inside.of).__name__
        with pytest.raises(ArchwrightError, match=f"keep what {name} answers.*Staged\\(cheap, Cached"):
            Cached(inside, str(tmp_path), version="1")
    assert Cached(Mean(Cached(training, "one")), "two").briefing(space, History("valid_accuracy"), trial()) is None


def test_a_mean_is_kept_whole(space, cached, log, tmp_path):
    mean = Cached(Mean(cached.of, seeds=2), cached.folder)
    first, again = (mean.estimate(space, trial()) for _ in range(2))
    assert times(log) == 2
    spared = {"cached_epochs": 6.0, "cached_seconds": 120.0}
    assert (again.cost, again.metrics) == (0.0, {**first.metrics, "epochs": 0.0, "cached": 1.0, **spared})


def test_what_was_spared_is_added_up(space, cached, tmp_path):
    """Of a mean over kept and new answers, of a cache round it, and of both stages."""
    cached.estimate(space, trial())
    half = Mean(cached, seeds=2).estimate(space, trial())
    assert (half.cost, half.metrics["epochs"]) == (60.0, 3.0)
    assert {name: value for name, value in half.metrics.items() if name.startswith("cached")} == SPARED
    outer = Cached(Mean(cached, seeds=2), str(tmp_path / "outer"))
    first, again = (outer.estimate(space, trial()) for _ in range(2))
    assert (first.cost, again.cost) == (0.0, 0.0)
    assert first.metrics["cached_seconds"] == again.metrics["cached_seconds"] == 120.0
    assert first.metrics["cached_epochs"] == again.metrics["cached_epochs"] == 6.0
    staged = Staged(cached, cached, by="max:score").estimate(space, trial())
    assert (staged.cost, staged.metrics["cached_seconds"], staged.metrics["cached_epochs"]) == (0.0, 120.0, 6.0)


def test_a_graph_that_fails_is_asked_by_its_decisions(tmp_path):
    class Network:
        def __init__(self, side):
            pass

        @staticmethod
        def graph(side):
            raise ValueError("no graph")

    class Side:
        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"score": float(trial.architecture["side"])})

    space, estimator = aw.Space(Network, side=aw.Choice(1, 2)), Cached(Side(), str(tmp_path), version="1")
    trials = [aw.Trial(aw.Architecture((("side", place),))) for place in (0, 1)]
    with pytest.raises(ValueError, match="no graph"):
        space.key(trials[0].architecture)
    for kept in (None, 1.0):
        answers = [estimator.estimate(space, one) for one in trials]
        assert [one.metrics["score"] for one in answers] == [0.0, 1.0]
        assert [one.metrics.get("cached") for one in answers] == [kept, kept]


@dataclass(frozen=True)
class Tasked(Counting):
    task: aw.tasks.Task | None = None


def _load(path):
    images = torch.full((60, 1, 8, 8), int(path.read_text()), dtype=torch.uint8)
    return divide(Split(images, torch.arange(60) % 2), ("a", "b"), 0, source="mine")


def test_changed_data_is_another_question(space, tmp_path, log):
    path = tmp_path / "data"
    task = aw.tasks.Task("mine", partial(_load, path))
    estimator = Cached(Tasked(str(log), task=task), str(tmp_path / "answers"), version="1")
    for content, known in (("0", 1), ("1", 2), ("0", 2)):
        path.write_text(content)
        estimator = pickle.loads(pickle.dumps(estimator))  # another process, which loads for itself
        for _ in range(2):
            estimator.estimate(space, trial())
        assert times(log) == known


def test_inside_others_it_is_asked_by_each(space, cached, log):
    estimator = Staged(cached, Mean(replace(cached, version="dear")), by="max:score")
    for known in (4, 4):
        answer = estimator.estimate(space, trial())
        assert times(log) == known
    assert answer.metrics["epochs"] == 0.0


def test_parts_of_the_user_s_own_need_a_version(space, tmp_path):
    class Mine:
        def __init__(self, number):
            self.number = number

        def estimate(self, space, trial):
            return aw.Evaluation(trial, {"score": self.number})

    with pytest.raises(ArchwrightError, match='version="1"'):
        Cached(Mine(1.0), str(tmp_path))
    own = aw.Space(lambda signature, side: None, side=aw.Choice(1, 2))
    with pytest.raises(ArchwrightError, match='version="1"'):
        Cached(Counting(str(tmp_path / "log")), str(tmp_path)).estimate(own, trial())
    kept = Cached(Mine(1.0), str(tmp_path), version="1")
    assert kept.estimate(space, trial()).metrics == {"score": 1.0}
    assert Cached(Mine(2.0), str(tmp_path), version="1").estimate(space, trial()).metrics["score"] == 1.0
    assert Cached(Mine(2.0), str(tmp_path), version="2").estimate(space, trial()).metrics["score"] == 2.0


def test_a_search_takes_the_same_course_and_costs_nothing(space, cached, log):
    def run():
        search = aw.search(space, aw.strategies.RegularizedEvolution(5, sample=2), cached, objectives="max:score")
        return list(aw.budget(search, evaluations=25))

    first, again = run(), run()
    assert [one.trial for one in first] == [one.trial for one in again]
    assert sum(one.cost for one in first) > 0.0
    assert sum(one.cost for one in again) == 0.0


def _ask(folder, log, number):
    space = aw.spaces.nasbench201(cells=1, channels=4)
    estimator = Cached(Counting(log), folder)
    return [estimator.estimate(space, trial(first)).metrics["score"] for first in range(4)]


def test_several_processes_share_a_folder(tmp_path, log):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_ask, [(str(tmp_path / "answers"), str(log), number) for number in range(2)])
    assert found == [[0.0, 1.0, 2.0, 3.0]] * 2
    files = [path for path in Path(tmp_path / "answers").rglob("*") if path.is_file()]
    assert len(files) == 4  # and nothing half-written
    assert {json.loads(path.read_text())["metrics"]["score"] for path in files} == {0.0, 1.0, 2.0, 3.0}


def test_an_answer_that_can_not_be_kept_counts_all_the_same(space, log, tmp_path):
    (tmp_path / "file").write_text("")
    cached = Cached(Counting(str(log)), str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match=r"can't write to .*file \(.*answers are not kept there") as told:
        answers = [cached.estimate(space, trial(first)) for first in (1, 2)]
    assert [answer.failure for answer in answers] == [None, None]
    assert len(told) == 1


def test_it_keeps_the_contract_and_is_made_again(space, tmp_path):
    task = aw.tasks.digits()
    _ = task.splits
    estimator = Cached(Training(task, 2), str(tmp_path))
    check_estimator(estimator, space, architectures=1, fidelities=(1.0, 0.5))
    assert describe(rebuild("estimators", describe(estimator))) == describe(estimator)
    assert estimator.metrics == Training(task, 2).metrics
    assert estimator.preflight(space, trial()) == Training(task, 2).preflight(space, trial())
