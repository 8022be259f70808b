import archwright as aw
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.strategies.smac import SMAC
from tests.predictors.test_random_forest import architectures, edges
from tests.strategies.test_tpe import best


def test_it_finds_the_valley_of_a_conditional_space_better_than_random_search():
    found = [best(SMAC(interleaved=0.1), seed) for seed in range(3)]
    drawn = [best(aw.strategies.Random(), seed) for seed in range(3)]
    assert sum(found) < sum(drawn) / 2


def test_a_share_of_its_proposals_is_random():
    space, history = edges(), History("min:loss")
    for number, architecture in enumerate(architectures(20)):
        trial = Trial(architecture)
        history.append(history.ask(trial), Evaluation(trial, {"loss": float(number)}))
    streams = Streams(0)

    def asked(interleaved):
        strategy = SMAC(interleaved=interleaved, trees=2, candidates=10)
        return [strategy.propose(space, history, streams[number]) for number in range(40)]

    known = {evaluation.trial.architecture for evaluation in history}
    assert not {trial.architecture for trial in asked(0.0)} & known
    assert {trial.architecture for trial in asked(1.0)} & known


def test_a_space_with_nothing_to_decide_is_survived():
    space = aw.Space(lambda: None)
    trial = aw.Trial(aw.spaces.sample(space, Streams(0)[0]))
    history = History("min:loss", [aw.Evaluation(trial, {"loss": 0.0})] * 12)
    assert SMAC(interleaved=0.0).propose(space, history, Streams(0)[1]) == trial
