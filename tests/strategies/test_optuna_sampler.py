import warnings

import pytest

import archwright as aw
from archwright.core.choices import Choice, Integer, Real
from archwright.core.errors import ArchwrightError
from archwright.core.history import History
from archwright.core.rng import Streams
from archwright.core.trial import Evaluation
from archwright.spaces.space import Space
from archwright.strategies.optuna_sampler import OptunaSampler
from archwright.testing import check_strategy
from tests.strategies.test_tpe import best

optuna = pytest.importorskip("optuna")

INSIDE = "kind=1.n"  # the name of the number within a branch


def made(**arguments):
    return arguments


SPACE = Space(made, kind=Choice("a", {"n": Integer(1, 64, log=True)}), rate=Real(1e-4, 1.0, log=True), k=Integer(1, 5))


def suggested(trial):
    """The same space as an Optuna user writes it."""
    kind = trial.suggest_categorical("kind", [0, 1])
    loss = 1.0
    if kind == 1:
        loss = abs(trial.suggest_int(INSIDE, 1, 64, log=True) - 20) / 64
    return loss + trial.suggest_float("rate", 1e-4, 1.0, log=True) + trial.suggest_int("k", 1, 5)


def loss_of(architecture):
    known = architecture.as_dict()
    loss = 1.0 if known["kind"] == 0 else abs(known[INSIDE] - 20) / 64
    return loss + known["rate"] + known["k"]


def searched(strategy, count, wanted="min:loss", seed=3):
    history, streams = History(wanted), Streams(seed)
    for _ in range(count):
        trial = strategy.propose(SPACE, history, streams[history.asked])
        loss = loss_of(trial.architecture)
        metrics = {"loss": loss, "cost": float(trial.architecture["k"]), "size": trial.architecture["rate"]}
        history.append(history.ask(trial), Evaluation(trial, metrics))
    return history


def test_it_asks_what_optuna_alone_would():
    """Optuna's own loop, its sampler seeded anew for each trial as the adapter does."""
    history, streams = searched(OptunaSampler(), 30), Streams(3)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    for number in range(30):
        study.sampler = optuna.samplers.TPESampler(seed=int(streams[number].integers(2**32)))
        trial = study.ask()
        study.tell(trial, suggested(trial))
    assert [trial.params for trial in study.trials] == [item.trial.architecture.as_dict() for item in history]


def test_a_sampler_that_notes_things_sees_its_notes_again():
    strategy = OptunaSampler(lambda seed: optuna.samplers.NSGAIISampler(population_size=8, seed=seed))
    history = searched(strategy, 30, ["min:loss", "min:cost"])
    study = strategy.learned(SPACE, history).study(history)
    generations = [trial.system_attrs.get("NSGAIISampler:generation") for trial in study.trials]
    assert generations == [number // 8 for number in range(30)]
    assert [trial.params for trial in study.trials] == [item.trial.architecture.as_dict() for item in history]


def test_objectives_constraints_and_failures_are_told():
    history = searched(OptunaSampler("RandomSampler"), 5, ["min:loss", "min:cost", "size <= 0.5", "cost >= 2"])
    trial = OptunaSampler("RandomSampler").propose(SPACE, history, Streams(0)[0])
    history.append(history.ask(trial), Evaluation(trial, failure="it broke"))
    study = OptunaSampler().learned(SPACE, history).study(history)
    for told, scored in zip(study.trials, history.succeeded, strict=False):
        metrics = scored.evaluation.metrics
        assert tuple(told.values) == scored.losses
        assert told.constraints == pytest.approx(
            {"size <= 0.5": (metrics["size"] - 0.5) / 0.5, "cost >= 2": (2 - metrics["cost"]) / 2}
        )
    assert study.trials[-1].state == optuna.trial.TrialState.FAIL


@pytest.mark.parametrize("name", ["TPESampler", "NSGAIISampler"])
def test_it_keeps_the_contract_of_a_strategy(name):
    check_strategy(OptunaSampler(name), evaluations=16)


def test_it_finds_the_valley_of_a_conditional_space():
    assert best(OptunaSampler(), 0) < best(aw.strategies.Random(), 0)


def test_optunas_settings_are_left_as_they_were():
    before = optuna.logging.get_verbosity(), len(warnings.filters)
    searched(OptunaSampler("QMCSampler"), 3)
    assert (optuna.logging.get_verbosity(), len(warnings.filters)) == before


def test_what_is_no_sampler_is_refused():
    rng, history = Streams(0)[0], History("min:loss")
    with pytest.raises(ArchwrightError, match="did you mean TPESampler"):
        OptunaSampler("TPESampller").propose(SPACE, history, rng)
    with pytest.raises(ArchwrightError, match="takes a function from a seed to a sampler"):
        OptunaSampler("GridSampler").propose(SPACE, history, rng)


def test_without_optuna_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ArchwrightError, match=r"pip install 'archwright\[optuna\]'"):
        OptunaSampler().propose(SPACE, History("min:loss"), Streams(0)[0])
