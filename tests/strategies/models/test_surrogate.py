import numpy as np

from archwright.core.choices import Real
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation, Trial
from archwright.predictors.arc import Arc
from archwright.spaces.operators import sample
from archwright.spaces.space import Space
from archwright.strategies.ladder import Ladder
from archwright.strategies.models import surrogate as module
from archwright.strategies.models.refit import Refits
from archwright.strategies.models.surrogate import refitted, surrogate, warped_losses


def made(**arguments):
    return arguments


def history_of(space, count, wanted="min:loss"):
    history, streams = History(wanted), Streams(0)
    for number in range(count):
        drawn = sample(space, streams[number])
        loss = (drawn["x"] - 0.3) ** 2
        history.append(history.ask(Trial(drawn)), Evaluation(Trial(drawn), {"loss": loss, "cost": drawn["x"]}))
    return history


def test_the_best_half_and_the_latest_count(monkeypatch):
    monkeypatch.setattr(module, "MOST", 10)
    space = Space(made, x=Real(0.0, 1.0))
    history = history_of(space, 40)
    losses = np.array([scored.losses[0] for scored in history.succeeded])
    process = surrogate(history, history.succeeded, Arc(space), losses, np.array([1.0, 0.5, 1.0, 1e-4]))
    best = np.argsort(losses)[:5].tolist()
    latest = [place for place in range(40) if place not in best][-5:]
    assert process._items == [history[place].trial.architecture for place in sorted(best + latest)]


def test_what_is_pending_has_little_uncertainty_left():
    space = Space(made, x=Real(0.0, 1.0))
    history, parameters = history_of(space, 4), np.array([3.0, 0.5, 1.0, 1e-4])
    losses, streams = warped_losses(history.succeeded, None), Streams(9)
    drawn = [sample(space, streams[number]) for number in range(10)]
    stds = surrogate(history, history.succeeded, Arc(space), losses, parameters).predict(drawn)[1]
    asked, before = drawn[int(stds.argmax())], stds.max()
    history.ask(Trial(asked))
    assert surrogate(history, history.succeeded, Arc(space), losses, parameters).predict([asked])[1] < 0.1 * before


def test_inside_another_strategy_only_what_runs_is_believed():
    space, ladder = Space(made, x=Real(0.0, 1.0)), Ladder((0.5, 1.0))
    whole, streams = History("min:loss"), Streams(0)
    for number in range(6):
        trial = Trial(sample(space, streams[number]), 0.5 if number else 1.0)
        whole.append(whole.ask(trial), Evaluation(trial, {"loss": trial.architecture["x"]}))
    whole.ask(running := Trial(sample(space, streams[6]), 0.5))
    ladder.read(whole)
    seen = ladder.views[1.0].history
    assert len(seen.pending) == 6
    process = surrogate(seen, seen.succeeded, Arc(space), np.array([0.3]), np.array([1.0, 0.5, 1.0, 1e-4]))
    assert process._items == [seen[0].trial.architecture, running.architecture]


def test_parameters_are_those_of_the_refit_length_whoever_asks():
    space = Space(made, x=Real(0.0, 1.0))
    wanted = ["min:loss", "min:cost"]
    grown, kept = history_of(space, 26, wanted), Refits()
    first = refitted(space, grown, Arc(space), warped_losses, kept)
    drawn = sample(space, Streams(5)[0])
    grown.append(grown.ask(Trial(drawn)), Evaluation(Trial(drawn), {"loss": 9.0, "cost": 9.0}))
    assert refitted(space, grown, Arc(space), warped_losses, kept) is first
    np.testing.assert_array_equal(refitted(space, grown, Arc(space), warped_losses, Refits()), first)
