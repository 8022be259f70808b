import numpy as np
import pytest

import archwright as aw
from archwright.core.choices import Choice, Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.spaces.space import Space
from archwright.strategies.tpe import TPE


def made(**arguments):
    return arguments


def valley():
    return Space(made, kind=Choice("a", "b", {"x": Real(0.0, 1.0)}), edges=[Choice(*range(4)) for _ in range(3)])


class Valley:
    """Only one branch has the low losses, and there the number has to be right."""

    def estimate(self, space, trial):
        arguments = space.resolve(trial.architecture)
        kind = arguments["kind"]
        loss = 1.0 if isinstance(kind, str) else (kind["x"] - 0.7) ** 2
        return Evaluation(trial, {"loss": loss + 0.1 * sum(arguments["edges"])}, cost=1.0)


def best(strategy, seed):
    run = aw.budget(aw.search(valley(), strategy, Valley(), objectives="min:loss", seed=seed), evaluations=60)
    for _ in run:
        pass
    return run.history.best.losses[0]


def test_it_finds_the_valley_better_than_random_search():
    found = [best(TPE(), seed) for seed in range(4)]
    drawn = [best(aw.strategies.Random(), seed) for seed in range(4)]
    assert max(found) < 0.05
    assert sum(found) < sum(drawn) / 3


def ratios(kept, others, options):
    """l / g of each option of one choice, by the counts alone."""
    counts = [[1 + values.count(option) for option in range(options)] for values in (kept, others)]
    shares = [np.array(count) / sum(count) for count in counts]
    return shares[0] / shares[1]


def test_what_it_asks_has_the_largest_ratio_of_its_candidates():
    space = Space(made, edge=Choice(*range(8)), other=Choice(*range(500)))
    streams, history = Streams(1), History("min:loss")
    rng = np.random.default_rng(0)
    for _ in range(16):  # so that sqrt(T) / 4 is one
        decisions = (("edge", int(rng.integers(8))), ("other", int(rng.integers(500))))
        trial = Trial(aw.Architecture(decisions))
        history.append(
            history.ask(trial), Evaluation(trial, {"loss": float((decisions[0][1] - 3) ** 2 + rng.random())})
        )
    order = sorted(history.succeeded, key=lambda scored: scored.losses)
    values = [scored.evaluation.trial.architecture.decisions[0][1] for scored in order]
    expected = int(np.argmax(ratios(values[:1], values[1:], 8)))
    asked = [TPE(initial=1, candidates=200).propose(space, history, streams[number]) for number in range(5)]
    assert {trial.architecture["edge"] for trial in asked} == {expected}


def test_what_is_pending_is_not_asked_again():
    space = Space(made, edges=[Choice(0, 1), Choice(0, 1)])
    history, streams = History("min:loss"), Streams(0)
    trial = Trial(aw.Architecture((("edges[0]", 0), ("edges[1]", 0))))
    history.append(history.ask(trial), Evaluation(trial, {"loss": 0.0}))
    for _ in range(3):
        history.ask(TPE(initial=1).propose(space, history, streams[history.asked]))
    assert len({pending.architecture for pending in history.pending.values()} | {trial.architecture}) == 4


@pytest.mark.parametrize("seed", range(2))
def test_on_nas_bench_201_it_beats_random_search(seed, bench_data):
    from archwright.runtime.simulated import Simulated

    benchmark = aw.benchmarks.nasbench201(data=bench_data)
    scores = {}
    for strategy in (TPE(), aw.strategies.Random()):
        tests = []
        for repetition in range(5):
            run = aw.search(
                benchmark.space,
                strategy,
                benchmark.estimator,
                objectives="valid_accuracy",
                executor=Simulated(),
                seed=10 * seed + repetition,
            )
            for _ in aw.budget(run, minutes=200):
                pass
            tests.append(benchmark.final(run.history.best.evaluation.trial.architecture)["test_accuracy"])
        scores[type(strategy)] = np.mean(tests)
    assert scores[TPE] > max(0.939, scores[aw.strategies.Random])
