import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.strategies.bananas import BANANAS
from tests.strategies.test_tpe import best


def run(strategy, benchmark, seed):
    from archwright.runtime.simulated import Simulated

    found = aw.search(
        benchmark.space,
        strategy,
        benchmark.estimator,
        objectives="valid_accuracy",
        executor=Simulated(),
        seed=seed,
    )
    for _ in aw.budget(found, minutes=200):
        pass
    return benchmark.final(found.history.best.evaluation.trial.architecture)["test_accuracy"]


def test_on_nas_bench_201_it_comes_close_to_the_optimum(bench_data):
    benchmark = aw.benchmarks.nasbench201(data=bench_data)
    assert run(BANANAS(), benchmark, seed=0) > 0.942


def test_a_space_without_a_graph_is_read_as_decisions():
    found = [best(BANANAS(candidates=50, layers=2, epochs=60), seed) for seed in range(2)]
    drawn = [best(aw.strategies.Random(), seed) for seed in range(2)]
    assert sum(found) < sum(drawn) / 2


def test_between_trainings_its_ensemble_stays():
    space, history, streams = aw.spaces.nasbench201(), History("min:loss"), Streams(0)
    strategy = BANANAS(initial=4, every=3, candidates=10, members=2, layers=1, epochs=2)
    trained = []
    for number in range(12):
        trial = strategy.propose(space, history, streams[number])
        trained.append(max(strategy._refits._kept, default=0))
        loss = float(sum(value for _, value in trial.architecture))
        history.append(history.ask(trial), aw.Evaluation(trial, {"loss": loss}))
    assert trained == [0, 0, 0, 0, 4, 4, 4, 7, 7, 7, 10, 10]
