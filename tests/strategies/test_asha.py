import pytest

import archwright as aw
from archwright.core.history import History
from archwright.strategies import ASHA
from archwright.strategies.rungs import is_promotion
from archwright.testing import check_strategy
from tests.strategies.test_rungs import Noisy, edges, loss_of, run


class GetJob:
    """Algorithm 2 of the paper, word by word, over rungs of (loss, architecture); a failure's loss is infinite."""

    def __init__(self, eta, rungs):
        self.eta = eta
        self.rungs = [[] for _ in range(rungs)]  # completed, in the order of arrival
        self.promoted = [set() for _ in range(rungs)]

    def returned(self, architecture, rung, loss):
        if architecture not in {known for _, known in self.rungs[rung]}:
            self.rungs[rung].append((loss, architecture))

    def get_job(self):
        for rung in range(len(self.rungs) - 2, -1, -1):
            ordered = sorted(self.rungs[rung], key=lambda entry: entry[0])
            candidates = ordered[: len(ordered) // self.eta]
            promotable = [name for loss, name in candidates if name not in self.promoted[rung] and loss < float("inf")]
            if promotable:
                self.promoted[rung].add(promotable[0])
                return promotable[0], rung + 1
        return None, 0


class Watched:
    """ASHA, each proposal of which is compared with the paper's algorithm on what was known by then."""

    def __init__(self, eta, lowest):
        self.strategy = ASHA(eta=eta, lowest=lowest)
        self.levels = self.strategy.rungs.levels
        self.paper = GetJob(eta, len(self.levels))
        self.known = 0
        self.promotions = 0

    def propose(self, space, history, rng):
        for evaluation in history[self.known :]:
            trial = evaluation.trial
            loss = float("inf") if evaluation.failure else evaluation.metrics["loss"]
            self.paper.returned(trial.architecture, self.levels.index(trial.fidelity), loss)
        self.known = len(history)
        trial = self.strategy.propose(space, history, rng)
        architecture, rung = self.paper.get_job()
        assert trial.fidelity == self.levels[rung]
        if architecture is None:
            assert not is_promotion(history, trial)
        else:
            assert trial.architecture == architecture
            assert history[trial.parent].trial.fidelity == self.levels[rung - 1]
            self.promotions += 1
        return trial


@pytest.mark.parametrize(("eta", "lowest"), [(2, 1 / 8), (3, 1 / 27), (4, 1 / 16)])
@pytest.mark.parametrize("workers", [1, 4, 25])
def test_it_is_algorithm_2_of_the_paper(eta, lowest, workers):
    watched = Watched(eta, lowest)
    search = aw.search(
        edges(), watched, Noisy(failing=10), objectives="min:loss", executor=aw.Simulated(workers), seed=workers
    )
    for _ in aw.budget(search, evaluations=250):
        pass
    assert watched.promotions > 250 / eta / 2


def test_no_worker_waits():
    search = aw.search(edges(), ASHA(lowest=1 / 27), Noisy(), objectives="min:loss", executor=aw.Simulated(7), seed=3)
    for number, _ in enumerate(aw.budget(search, evaluations=200)):
        if number < 190:
            assert len(search.history.pending) == 6


def test_rungs_of_a_table_keep_the_share_that_makes_their_budgets_equal():
    levels = (0.06, 1.0)
    history = run(ASHA(levels=levels), 400).history
    low, high = ([e for e in history if e.trial.fidelity == level] for level in levels)
    assert 0.06 * len(low) - 1 <= len(high) < 0.09 * len(low)  # more: some were among the best when they were promoted


def test_several_objectives_promote_whom_few_beat():
    history = run(ASHA(lowest=1 / 3), 200, objectives=["min:loss", "min:cost"]).history
    low = [s for s in history.succeeded if s.evaluation.trial.fidelity < 1.0]
    beaten = {s.position: sum(other.beats(s) for other in low) for s in low}
    promoted = [beaten[e.trial.parent] for e in history if e.trial.fidelity == 1.0]
    others = [count for position, count in beaten.items()]
    assert len(promoted) > 40
    assert sum(promoted) / len(promoted) < sum(others) / len(others) / 3


def test_a_search_that_begins_with_known_evaluations_promotes_them():
    known = run(aw.strategies.Random(), 30).history
    first = [aw.Evaluation(aw.Trial(e.trial.architecture, 1 / 3), {"loss": loss_of(e.trial)}) for e in known]
    history = History("min:loss", first)
    trial = ASHA(lowest=1 / 3).propose(edges(), history, None)
    best = min(range(30), key=lambda position: history[position].metrics["loss"])
    assert trial == aw.Trial(history[best].trial.architecture, 1.0, parent=best)


def test_a_sampler_whose_best_stays_the_best_for_long_is_not_asked_in_vain():
    of = aw.strategies.RegularizedEvolution(population=100, sample=25)
    history = run(ASHA(of, lowest=1 / 27), 600, space=edges(6, 6), seed=1).history
    questions = {(e.trial.architecture, e.trial.fidelity) for e in history}
    assert len(history) == 600
    assert len(questions) == 600


@pytest.mark.parametrize(("sizes", "lowest"), [((2, 4), 1 / 9), ((2, 4), 1 / 81), ((3, 8), 1 / 9)])
def test_a_space_that_is_used_up_is_evaluated_in_full(sizes, lowest):
    space = aw.Space(lambda a: a, a=[aw.Choice(*range(size)) for size in sizes])
    search = aw.search(space, ASHA(lowest=lowest), Noisy(), objectives="min:loss")
    list(aw.budget(search, evaluations=1000))
    full = [e.trial.architecture for e in search.history if e.trial.fidelity == 1.0 and e.reused is None]
    assert len(full) == len(set(full)) == sizes[0] * sizes[1]


def test_it_keeps_its_promises():
    check_strategy(ASHA(lowest=1 / 9))
    check_strategy(ASHA(aw.strategies.TPE(initial=5, candidates=8), eta=2, lowest=1 / 8, enough=5), evaluations=30)
