import archwright as aw
from archwright.core.choices import Choice, Integer, Real
from archwright.core.trial import Evaluation
from archwright.spaces.space import Space
from archwright.strategies.arc_kernel import ArcKernel


def made(**arguments):
    return arguments


class Bowl:
    """A conditional valley: only one branch has the low values, and there the number has to be right."""

    def estimate(self, space, trial):
        arguments = space.resolve(trial.architecture)
        loss = 1.0 + 0.05 * arguments["n"]
        if isinstance(arguments["kind"], dict):
            loss = (arguments["kind"]["x"] - 0.7) ** 2 + 0.02 * abs(arguments["n"] - 5)
        return Evaluation(trial, {"loss": loss}, cost=1.0)


def best(strategy, seed):
    space = Space(made, kind=Choice("a", "b", {"x": Real(0.0, 1.0)}), n=Integer(1, 9))
    run = aw.budget(aw.search(space, strategy, Bowl(), objectives="min:loss", seed=seed), evaluations=40)
    for _ in run:
        pass
    return run.history.best.losses[0]


def test_it_finds_the_valley_of_a_conditional_space_better_than_random_search():
    found = [best(ArcKernel(candidates=50), seed) for seed in range(3)]
    drawn = [best(aw.strategies.Random(), seed) for seed in range(3)]
    assert max(found) < 0.01
    assert sum(found) < sum(drawn) / 3
