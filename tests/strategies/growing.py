"""A space of numbers that grows as networks do, and an estimator that knows at once how good they are."""

import archwright as aw


def stack(layers):
    return layers


def morphs(layers):
    widths = (1, 2, 4)
    for place, width in enumerate(layers):
        if width < widths[-1]:
            yield "widen", {"layers": [*layers[:place], widths[widths.index(width) + 1], *layers[place + 1 :]]}
    for place, width in enumerate(layers):
        yield "deepen", {"layers": [*layers[:place], width, *layers[place:]]}


stack.morphs = morphs


def space(most=5):
    return aw.Space(stack, layers=aw.Repeat(aw.Choice(1, 2, 4), times=aw.Integer(1, most)))


class Scores:
    """`loss` is what a function of the layers says; those that it calls None fail."""

    def __init__(self, loss):
        self.loss = loss
        self.asked = []

    def estimate(self, space, trial):
        self.asked.append(trial)
        loss = self.loss(space.resolve(trial.architecture)["layers"])
        if loss is None:
            return aw.Evaluation(trial, failure="it was to fail")
        return aw.Evaluation(trial, {"loss": float(loss)}, cost=1.0)


def of(made, *layers):
    """The architecture of these layers."""
    decisions = {"layers.times": len(layers)} | {
        f"layers[{n}]": (1, 2, 4).index(width) for n, width in enumerate(layers)
    }
    return aw.spaces.trace(made, lambda name, _: decisions[name])


def searched(strategy, scores, evaluations, made=None, seed=0, executor=None, start=None):
    """The history of a search, which begins with a network of the layers `start` if they are given."""
    made = made or space()
    history = [] if start is None else [scores.estimate(made, aw.Trial(of(made, *start)))]
    run = aw.search(made, strategy, scores, objectives="min:loss", seed=seed, executor=executor, history=history)
    run = aw.budget(run, evaluations=evaluations)
    list(run)
    return run.history
